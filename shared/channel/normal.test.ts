import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalFromWord } from './normal.js';

/** P(N(0, 1) <= x), by the series of Marsaglia (J. Stat. Software 11, 2004): all terms positive, good to 1e-15. */
function normalProbability(x: number): number {
  let sum = Math.abs(x);
  let last = 0;
  let term = sum;
  for (let n = 3; sum !== last; n += 2) {
    last = sum;
    term *= (x * x) / n;
    sum += term;
  }
  const half = sum * Math.exp(-0.5 * x * x - Math.log(2 * Math.PI) / 2);
  return x < 0 ? 0.5 - half : 0.5 + half;
}

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('normalFromWord', () => {
  it('is the inverse of the normal distribution', () => {
    fc.assert(
      fc.property(word, (w) => {
        expect(Math.abs(normalProbability(normalFromWord(w)) - (w + 0.5) / 2 ** 32)).toBeLessThan(1e-14);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is odd and rises', () => {
    fc.assert(
      fc.property(word, (w) => {
        expect(normalFromWord(2 ** 32 - 1 - w)).toBe(-normalFromWord(w));
        if (w > 0) expect(normalFromWord(w)).toBeGreaterThan(normalFromWord(w - 1));
      }),
    );
  });

  it('has the quantiles of the tables, out to the last word', () => {
    expect(normalFromWord(0.975 * 2 ** 32)).toBeCloseTo(1.959963985, 8);
    expect(normalFromWord(0.0013498980316301 * 2 ** 32)).toBeCloseTo(-3, 6);
    expect(normalFromWord(0)).toBeCloseTo(-6.338, 3);
    expect(normalProbability(normalFromWord(0)) * 2 ** 33).toBeCloseTo(1, 3);
  });
});
