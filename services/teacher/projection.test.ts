import { describe, expect, it } from 'vitest';
import { FeatureProjection } from './projection.js';

describe('FeatureProjection', () => {
  const feature = (seed: number, size: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => Math.sin(seed * 7.7 + i * 1.3));

  it('is linear, image by image, with entries of one size', () => {
    const projection = new FeatureProjection(40, 6);
    for (let column = 0; column < 40; column++) {
      const unit = new Float32Array(40);
      unit[column] = 1;
      for (const value of projection.apply(unit, 1)) expect(Math.abs(value)).toBeCloseTo(1 / Math.sqrt(6), 6);
    }
    const [a, b] = [feature(1, 40), feature(2, 40)];
    const both = projection.apply(Float32Array.from([...a, ...b]), 2);
    expect([...both.subarray(0, 6)]).toEqual([...projection.apply(a, 1)]);
    expect([...both.subarray(6)]).toEqual([...projection.apply(b, 1)]);
    const sum = projection.apply(
      a.map((value, i) => value + b[i]!),
      1,
    );
    for (const [i, value] of sum.entries()) expect(value).toBeCloseTo(both[i]! + both[6 + i]!, 5);
  });

  it('keeps squared distances on average, within what the theory allows', () => {
    const [from, to] = [300, 64];
    const projection = new FeatureProjection(from, to);
    const norm = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
    const ratios = Array.from({ length: 60 }, (_, i) => {
      const one = feature(i, from);
      return norm(projection.apply(one, 1)) / norm(one);
    });
    // The ratio has mean 1 and variance of at most 2/to.
    for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(5 * Math.sqrt(2 / to));
  });

  it('is the same on every machine', () => {
    const signs = [...new FeatureProjection(8, 2).apply(Float32Array.from([1, 2, 4, 8, 16, 32, 64, 128]), 1)];
    // A change here makes stored features incomparable: it is to have another version.
    expect(signs.map((value) => Math.round(value * Math.sqrt(2)))).toMatchInlineSnapshot(`
      [
        -123,
        -233,
      ]
    `);
  });
});
