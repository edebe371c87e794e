import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type SigmfMeta, samplesFromBytes, samplesToBytes } from './sigmf.js';
import { readSigmfMeta, readSigmfSamples, traceOfRecording } from './sigmf-file.js';
import { loadTrace } from './trace-file.js';

const folder = await mkdtemp(path.join(tmpdir(), 'semlink-sigmf-'));
afterAll(() => rm(folder, { recursive: true }));

const float = fc.float({ min: -4, max: 4, noNaN: true, noDefaultInfinity: true });
const samples = fc
  .array(fc.tuple(float, float), { minLength: 1, maxLength: 50 })
  .map((all) => Float32Array.from(all.flat()));

function meta(annotations: SigmfMeta['annotations'], type = 'cf32_le'): SigmfMeta {
  return {
    global: { 'core:datatype': type, 'core:version': '1.2.0', 'core:sample_rate': 1000 },
    captures: [{ 'core:sample_start': 0 }],
    annotations,
  };
}

async function write(name: string, content: unknown, data: Uint8Array = Buffer.alloc(0)): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(`${file}.sigmf-meta`, typeof content === 'string' ? content : JSON.stringify(content));
  await writeFile(`${file}.sigmf-data`, data);
  return `${file}.sigmf-meta`;
}

describe('samples of SigMF', () => {
  it('are exact as cf32_le', () => {
    fc.assert(
      fc.property(samples, (all) => {
        expect(samplesFromBytes('cf32_le', samplesToBytes('cf32_le', all, 1), 1)).toEqual(all);
      }),
    );
  });

  it('are within half a step as ci16_le, and saturate', () => {
    const scale = 4 / 32_767;
    fc.assert(
      fc.property(samples, (all) => {
        const back = samplesFromBytes('ci16_le', samplesToBytes('ci16_le', all, scale), scale);
        for (const [i, value] of all.entries()) expect(Math.abs(back[i]! - value)).toBeLessThanOrEqual(0.501 * scale);
      }),
    );
    const back = samplesFromBytes('ci16_le', samplesToBytes('ci16_le', Float32Array.of(9, -9), scale), scale);
    expect(back[0]).toBeCloseTo(4, 3);
    expect(back[1]).toBeCloseTo(-4, 3);
  });

  it('are read from where they are asked for', async () => {
    const all = Float32Array.from({ length: 20 }, (_, i) => i);
    const file = await write('part', meta([]), samplesToBytes('cf32_le', all, 1));
    const whole = await readSigmfMeta(file);
    expect([...(await readSigmfSamples(file, whole, 3, 2))]).toEqual([6, 7, 8, 9]);
    expect(await readSigmfSamples(file, whole)).toEqual(all);
    await expect(readSigmfSamples(file, whole, 9, 2)).rejects.toThrow(/part.sigmf-data is 10; 11 are needed/);
  });
});

describe('a recording that is no good', () => {
  it.each([
    ['cut', '{"captures": [', /is no whole JSON .* was it cut off/],
    ['type', meta([], 'ri8'), /core:datatype of .*type.sigmf-meta is "ri8"; use cf32_le or ci16_le/],
    ['bare', { annotations: [] }, /it has no global object with core:version/],
  ])('says so: %s', async (name, content, message) => {
    await expect(readSigmfMeta(await write(name, content))).rejects.toThrow(message);
  });

  it('says that it is not there', async () => {
    await expect(readSigmfMeta(path.join(folder, 'nothing'))).rejects.toThrow(/nothing.sigmf-meta.*no such file/);
  });
});

describe('a recording as a channel trace', () => {
  const frame = (link: string, position: number, gains: number[], block: number) => ({
    'core:sample_start': 0,
    'core:sample_count': 4,
    'semlink:link': link,
    'semlink:position': position,
    'semlink:gains': gains,
    'semlink:block_symbols': block,
  });
  const recording = meta([
    frame('a', 100, [1, 0, 0, 1], 2),
    frame('b', 0, [5, 5], 4),
    frame('a', 104, [-1, 0], 4),
    // Started over: times that have passed are left out.
    frame('a', 100, [9, 9], 4),
  ]);

  it('has the gains of one link at the times of its symbols', async () => {
    expect(traceOfRecording(recording, 'a')).toEqual({
      kind: 'gain',
      timesSeconds: [0, 0.002, 0.004],
      values: [1, 0, 0, 1, -1, 0],
    });
    const file = await write('trace', recording);
    await expect(loadTrace(`${file}#b`)).resolves.toMatchObject({ timesSeconds: [0], values: [5, 5] });
  });

  it('needs the link where there are several', () => {
    expect(() => traceOfRecording(recording)).toThrow(/name one as FILE.sigmf-meta#LINK; it has a, b/);
    expect(() => traceOfRecording(recording, 'c')).toThrow(/link of the recording is "c"/);
    expect(() => traceOfRecording(meta([]))).toThrow(/it has none/);
  });
});
