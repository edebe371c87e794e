import { describe, expect, it } from 'vitest';
import { benchmarkChannel, median } from './channel-bench.js';

describe('benchmarkChannel', () => {
  it('measures every model, block and path once', () => {
    const results = benchmarkChannel({
      models: ['awgn', 'rayleigh-block', 'tdl-a'],
      blocks: [128, 1],
      paths: ['wasm', 'js'],
      rounds: 1,
      seconds: 0.002,
    });
    expect(results.map(({ model, block, path }) => `${model} ${block} ${path}`)).toEqual(
      ['awgn', 'rayleigh-block', 'tdl-a'].flatMap((model) =>
        [128, 1].flatMap((block) => ['wasm', 'js'].map((path) => `${model} ${block} ${path}`)),
      ),
    );
    for (const { msymbols_per_second } of results) expect(msymbols_per_second).toBeGreaterThan(0);
  });

  it('says how far it is', () => {
    const seen: string[] = [];
    const one = { models: ['awgn'] as const, blocks: [64], paths: ['js'] as const, rounds: 2, seconds: 0.001 };
    benchmarkChannel({ ...one, onProgress: (done, total) => seen.push(`${done}/${total}`) });
    expect(seen).toEqual(['0/2', '1/2']);
  });
});

describe('median', () => {
  it('is the middle, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
