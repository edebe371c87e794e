import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readSigmfMeta, readSigmfSamples } from '../../../shared/channel/sigmf-file.js';
import { AirRecorder, type AirRecorderOptions } from './air-recorder.js';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function recorder(change: Partial<AirRecorderOptions> = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'semlink-air-'));
  folders.push(folder);
  const states: string[] = [];
  const air = new AirRecorder({
    folder: path.join(folder, 'air'),
    side: 'both',
    type: 'cf32_le',
    fullScale: 8,
    fileBytes: 1e9,
    limitBytes: 1e9,
    sampleRateHz: 250_000,
    seed: 2n ** 63n,
    version: '1.2.3',
    onState: (sentence) => states.push(sentence),
    ...change,
  });
  let position = 0;
  const pass = (linkId: string, k: number, number = position) => {
    const sent = Float32Array.from({ length: 2 * k }, (_, i) => Math.sin(number + i));
    const received = sent.map((value) => 2 * value);
    const frame = { linkId, sequence: 7n, position, model: 'awgn', snrDb: 3, timeUnixNano: 1_700_000_000_000_000_001n };
    air.record(frame, air.copySent(sent), received, { gains: [2, 0], blockSymbols: k, noisePower: 0.5 });
    position += k;
    return { sent, received };
  };
  return { air, pass, states, folder: path.join(folder, 'air') };
}

describe('the recorder of the air', () => {
  it('writes what was sent and received, frame by frame, with what is known of each', async () => {
    const { air, pass, folder } = await recorder();
    const frames = [pass('a', 3), pass('b', 5)];
    await air.close();
    expect((await readdir(folder)).sort()).toEqual(
      ['received', 'sent'].flatMap((side) => [`air-000000-${side}.sigmf-data`, `air-000000-${side}.sigmf-meta`]),
    );
    for (const side of ['sent', 'received'] as const) {
      const file = path.join(folder, `air-000000-${side}`);
      const meta = await readSigmfMeta(file);
      expect(meta.global).toMatchObject({
        'core:datatype': 'cf32_le',
        'core:sample_rate': 250_000,
        'core:recorder': 'SemLink channel-emulator 1.2.3',
        'semlink:side': side,
        'semlink:seed': '9223372036854775808',
      });
      expect(meta.annotations).toMatchObject([
        { 'core:sample_start': 0, 'core:sample_count': 3, 'core:label': 'a', 'semlink:position': 0 },
        {
          'core:sample_start': 3,
          'core:sample_count': 5,
          'semlink:link': 'b',
          'semlink:sequence': 7,
          'semlink:position': 3,
          'semlink:gains': [2, 0],
          'semlink:block_symbols': 5,
          'semlink:noise_power': 0.5,
          'semlink:snr_db': 3,
          'semlink:model': 'awgn',
          'semlink:time_unix_nano': '1700000000000000001',
        },
      ]);
      for (const [i, frame] of frames.entries()) {
        const { 'core:sample_start': start, 'core:sample_count': count } = meta.annotations[i]!;
        expect(await readSigmfSamples(file, meta, start, count)).toEqual(frame[side]);
      }
    }
  });

  it('goes on in new files, and ends at its limit', async () => {
    const { air, pass, folder, states } = await recorder({ side: 'received', fileBytes: 800, limitBytes: 2_400 });
    for (let i = 0; i < 100; i++) pass('a', 10);
    await air.close();
    const files = (await readdir(folder)).filter((name) => name.endsWith('-meta')).sort();
    expect(files).toHaveLength(3);
    for (const file of files) {
      const meta = await readSigmfMeta(path.join(folder, file));
      expect(meta.annotations).toHaveLength(10);
      expect(await readSigmfSamples(path.join(folder, file), meta)).toHaveLength(200);
    }
    expect(states).toEqual(['recording ended: it has reached its limit of 2400 bytes']);
  });

  it('leaves frames out, and counts them, rather than wait for the disk', async () => {
    const { air, pass, folder } = await recorder({ side: 'received' });
    // 40 MB within one turn of the event loop: more than may wait.
    for (let i = 0; i < 80; i++) pass('a', 65_536);
    await air.close();
    const meta = await readSigmfMeta(path.join(folder, 'air-000000-received'));
    expect(meta.annotations.length).toBeGreaterThan(20);
    expect(meta.annotations.length + meta.global['semlink:missing_frames']!).toBe(80);
    const last = meta.annotations.at(-1)!;
    const { size } = await stat(path.join(folder, 'air-000000-received.sigmf-data'));
    expect(size).toBe(8 * (last['core:sample_start'] + last['core:sample_count']));
  });

  it('writes ci16_le with its scale', async () => {
    const { air, pass, folder } = await recorder({ side: 'received', type: 'ci16_le' });
    const { received } = pass('a', 4);
    await air.close();
    const file = path.join(folder, 'air-000000-received');
    const meta = await readSigmfMeta(file);
    expect(meta.global).toMatchObject({ 'core:datatype': 'ci16_le', 'semlink:scale': Math.fround(8 / 32_767) });
    const back = await readSigmfSamples(file, meta);
    for (const [i, value] of received.entries()) expect(back[i]).toBeCloseTo(value, 3);
  });
});
