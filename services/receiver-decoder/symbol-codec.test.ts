import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../shared/codec/manifest.js';
import { smallManifest } from '../../shared/codec/small-model.fixture.js';
import { type DecodeJob, symbolCodec } from './symbol-codec.js';

const manifest: Manifest = { ...smallManifest(), files: {} };

describe('symbolCodec', () => {
  it('gathers jobs of different lengths, equalised, zero behind their symbols', () => {
    const jobs: DecodeJob[] = [
      { received: Float32Array.of(2, 4), channel: { gains: [0, 2], blockSymbols: 8, noisePower: 0 } },
      {
        received: Float32Array.of(1, 0, 0, 1),
        channel: { gains: [1, 0, 1, 0], blockSymbols: 1, noisePower: 1 },
      },
    ];
    // What an earlier batch left in them.
    const [symbols, snrDb, channelUses] = [32, 2, 2].map((length) => new Float32Array(length).fill(7));
    symbolCodec.gather(jobs, manifest, [symbols!, snrDb!, channelUses!]);
    const zeros = (count: number) => new Array<number>(count).fill(0);
    expect([...symbols!]).toEqual([2, -1, ...zeros(14), 0.5, 0, 0, 0.5, ...zeros(12)]);
    expect([...snrDb!]).toEqual([90, 0]);
    expect([...channelUses!]).toEqual([1, 2]);
    expect(symbolCodec.bytesOf(jobs[1]!)).toBe(16);
  });

  it('answers the most probable class, the first of equals, with its probability', () => {
    const job = symbolCodec.example(manifest);
    const probabilities = Float32Array.of(0.125, 0.375, 0.125, 0.375, 0);
    expect(symbolCodec.result(probabilities, job)).toEqual({ label: 1, confidence: 0.375, probabilities });
    expect(symbolCodec.result(Float32Array.of(0, 0, 0, 0, 1), job).label).toBe(4);
  });
});
