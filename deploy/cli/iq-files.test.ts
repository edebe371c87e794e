import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSigmfMeta, readSigmfSamples } from '../../shared/channel/sigmf-file.js';
import { convertIq } from './iq-files.js';

const folder = await mkdtemp(path.join(tmpdir(), 'semlink-iq-'));
afterAll(() => rm(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);
const options = { link: '', type: 'cf32_le' as const, fullScale: 4 };

describe('IQ files', () => {
  it('go from FC32 to SigMF, SC16 and back', async () => {
    const samples = Float32Array.from({ length: 600_000 }, (_, i) => 3 * Math.sin(i));
    await writeFile(at('a.fc32'), new Uint8Array(samples.buffer));
    const told = await convertIq(at('a.fc32'), at('b.sigmf-meta'), { ...options, sampleRateHz: 5e5 });
    expect(told.samples).toBe(300_000);
    expect(told.power).toBeCloseTo(9, 3);
    expect(told.peak).toBeCloseTo(3, 5);
    expect((await readSigmfMeta(at('b'))).global).toMatchObject({
      'core:sample_rate': 5e5,
      'core:datatype': 'cf32_le',
    });
    await convertIq(at('b.sigmf-meta'), at('c.sc16'), options);
    await convertIq(at('c.sc16'), at('d.sigmf-data'), { ...options, type: 'ci16_le' });
    await convertIq(at('d.sigmf-data'), at('e.cf32'), options);
    const back = new Float32Array(new Uint8Array(await readFile(at('e.cf32'))).buffer);
    expect(back).toHaveLength(600_000);
    let worst = 0;
    for (const [i, value] of samples.entries()) worst = Math.max(worst, Math.abs(back[i]! - value));
    expect(worst).toBeLessThan(0.51 * (4 / 32_768));
  });

  it('of one link are cut out of a recording', async () => {
    const frame = (link: string, start: number) => ({
      'core:sample_start': start,
      'core:sample_count': 2,
      'semlink:link': link,
    });
    const meta = {
      global: { 'core:datatype': 'cf32_le', 'core:version': '1.2.0' },
      captures: [],
      annotations: [frame('a', 0), frame('b', 2), frame('a', 4)],
    };
    await writeFile(at('r.sigmf-meta'), JSON.stringify(meta));
    await writeFile(at('r.sigmf-data'), new Uint8Array(Float32Array.from({ length: 12 }, (_, i) => i).buffer));
    await convertIq(at('r.sigmf-meta'), at('s.sigmf-meta'), { ...options, link: 'a' });
    const cut = await readSigmfMeta(at('s'));
    expect(cut.annotations).toEqual([frame('a', 0), frame('a', 2)]);
    expect([...(await readSigmfSamples(at('s'), cut))]).toEqual([0, 1, 2, 3, 8, 9, 10, 11]);
    await expect(convertIq(at('r.sigmf-meta'), at('x.fc32'), { ...options, link: 'c' })).rejects.toThrow(/"c"/);
  });

  it('that are something else are named', async () => {
    await writeFile(at('odd.sc16'), Buffer.alloc(7));
    await expect(convertIq(at('odd.sc16'), at('x.fc32'), options)).rejects.toThrow(
      /is 7; ci16_le takes 4 bytes a sample/,
    );
    await expect(convertIq(at('none.fc32'), at('x.fc32'), options)).rejects.toThrow(/none.fc32.*no such file/);
    await expect(convertIq(at('a.wav'), at('x.fc32'), options)).rejects.toThrow(
      /its extension must be one of .sigmf-meta/,
    );
  });
});
