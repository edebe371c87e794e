import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkRandom, Purpose } from '../link-random.js';
import { normalPair } from './reference.js';

const count = 1_000_000;

function draw(link = 'a', seed = 1n, purpose: Purpose = Purpose.noise, index = 0): Float32Array {
  const out = new Float32Array(2 * count);
  new LinkRandom(seed, link).complexNormals(purpose, index, count, out);
  return out;
}

const mean = (numbers: ArrayLike<number>, f: (x: number, i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += f(numbers[i]!, i);
  return sum / numbers.length;
};

/** Normalised correlation of x[i] with y[i + lag]; of independent numbers it is N(0, 1/n). */
function correlation(x: Float32Array, y: Float32Array, lag: number): number {
  const n = x.length - lag;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[i]! * y[i + lag]!;
  return sum / Math.sqrt(n);
}

/** Squares, of mean 0 and variance 1 again. */
const squares = (numbers: Float32Array) => numbers.map((x) => (x * x - 1) / Math.SQRT2);

/** Largest distance of the sample's distribution from the one given, times sqrt(n): above 1.95 once in 1,000 samples. */
function kolmogorov(sample: Float64Array, probability: (x: number) => number): number {
  sample.sort();
  let distance = 0;
  for (let i = 0; i < sample.length; i++) {
    const expected = probability(sample[i]!);
    distance = Math.max(distance, expected - i / sample.length, (i + 1) / sample.length - expected);
  }
  return distance * Math.sqrt(sample.length);
}

/** P(|N(0, 1)| > x) = erfc(x / sqrt 2), by its continued fraction (Abramowitz and Stegun 26.2.14), for x >= 2. */
function twoTails(x: number): number {
  let fraction = x;
  for (let k = 400; k >= 1; k--) fraction = x + k / fraction;
  return (2 * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI) / fraction;
}

describe('normalPair', () => {
  /** The same words with exact functions. */
  function exact(first: number, second: number): [number, number] {
    const u = ((first >>> 1) + 0.5) / 2 ** 31;
    const r = Math.sqrt(-2 * Math.log(u)) * (second < 0 ? -1 : 1);
    const angle = ((second << 1) / 2 ** 31) * (Math.PI / 2);
    return [r * Math.cos(angle), r * Math.sin(angle)];
  }
  const error = (first: number, second: number) => {
    const [a, b] = [normalPair(first, second), exact(first, second)];
    return Math.max(Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1]));
  };
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  it('is Box and Muller in binary32: error below 2e-6 where r > 0.14, and below 1e-7 in r^2 under that', () => {
    let worst = 0;
    let worstSquare = 0;
    let state = 1;
    for (let i = 0; i < 2_000_000; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const second = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
      // In turn anywhere, far in the tail, and near 0.
      const first = i % 3 === 0 ? state : i % 3 === 1 ? state >>> 16 : state | 0xff800000;
      if (first >>> 1 < 0.99 * 2 ** 31) {
        worst = Math.max(worst, error(first, second));
      } else {
        const [a, b] = [normalPair(first, second), exact(first, second)];
        worstSquare = Math.max(worstSquare, Math.abs(a[0] ** 2 + a[1] ** 2 - b[0] ** 2 - b[1] ** 2));
      }
    }
    expect(worst).toBeLessThan(2e-6);
    expect(worstSquare).toBeLessThan(1e-7);
  });

  it('reaches sqrt(2 ln 2^32) = 6.66 in the last words and 0 in the first, never NaN', () => {
    expect(normalPair(0, 0)[0]).toBeCloseTo(6.66043688, 5);
    expect(normalPair(1, -(2 ** 31))[0]).toBeCloseTo(-6.66043688, 5);
    expect(Math.abs(normalPair(-1, 0)[0])).toBe(0);
    for (const first of [0, 1, 2, 3, -1, -2, 2 ** 31 - 1, -(2 ** 31)]) {
      for (const second of [0, 1, -1, 2 ** 30, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31)]) {
        expect(error(first, second)).toBeLessThan(3e-4);
      }
    }
  });

  it('turns by 180 degrees with the sign of the second word', () => {
    fc.assert(
      fc.property(word, word, (first, second) => {
        const [re, im] = normalPair(first, second);
        const [a, b] = normalPair(first, second ^ (1 << 31));
        expect([-a, -b]).toEqual([re, im]);
      }),
    );
  });
});

describe('the numbers of a link', () => {
  const z = draw();
  const squared = squares(z);

  it('have the moments of N(0, 1) to the eighth', () => {
    // Standard deviation of the mean of x^p over n numbers: sqrt((E x^2p - (E x^p)^2) / n); five are allowed.
    const moment = [1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10_395, 0, 135_135, 0, 2_027_025];
    for (let p = 1; p <= 8; p++) {
      const deviation = Math.sqrt((moment[2 * p]! - moment[p]! ** 2) / z.length);
      expect(Math.abs(mean(z, (x) => x ** p) - moment[p]!) / deviation).toBeLessThan(5);
    }
  });

  it('have Rayleigh magnitudes and even phases', () => {
    const magnitudes = new Float64Array(count);
    const phases = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      magnitudes[i] = z[2 * i]! ** 2 + z[2 * i + 1]! ** 2;
      phases[i] = Math.atan2(z[2 * i + 1]!, z[2 * i]!);
    }
    expect(kolmogorov(magnitudes, (r) => 1 - Math.exp(-r / 2))).toBeLessThan(2.2);
    expect(kolmogorov(phases, (phase) => (phase + Math.PI) / (2 * Math.PI))).toBeLessThan(2.2);
  });

  it('have the tails of N(0, 1) as far as 20 million numbers show them', () => {
    const random = new LinkRandom(3n, 'tails');
    const part = new Float32Array(200_000);
    const limits = [2, 3, 4, 4.5, 5];
    const beyond = limits.map(() => 0);
    for (let i = 0; i < 100; i++) {
      random.complexNormals(Purpose.noise, i * 100_000, 100_000, part);
      for (const x of part) {
        const size = Math.abs(x);
        for (let j = 0; size > limits[j]!; j++) beyond[j]!++;
      }
    }
    for (const [j, limit] of limits.entries()) {
      const expected = 2e7 * twoTails(limit);
      expect(Math.abs(beyond[j]! - expected) / Math.sqrt(expected)).toBeLessThan(4.5);
    }
  });

  it('are uncorrelated, as are their squares, at every lag to beyond a group of blocks', () => {
    // Of 2 x 160 normal scores the largest exceeds 4.5 once in 500 seeds.
    for (let lag = 1; lag <= 160; lag++) {
      expect(Math.abs(correlation(z, z, lag))).toBeLessThan(4.5);
      expect(Math.abs(correlation(squared, squared, lag))).toBeLessThan(4.5);
    }
  });

  it('are independent of those of other links, seeds, purposes and far positions', () => {
    const others = [
      draw('b'),
      draw('a', 2n),
      draw('a', 1n + (1n << 63n)),
      draw('a', 1n, Purpose.blockFading),
      draw('a', 1n, Purpose.noise, 2 ** 32),
      draw('a', 1n, Purpose.noise, 2 ** 37),
      draw('a', 1n, Purpose.noise, 2 ** 52),
    ];
    for (const other of others) {
      const otherSquared = squares(other);
      for (let lag = 0; lag <= 4; lag++) {
        expect(Math.abs(correlation(z, other, lag))).toBeLessThan(4.5);
        expect(Math.abs(correlation(squared, otherSquared, lag))).toBeLessThan(4.5);
      }
    }
  });

  it('are as independent between 2,000 links at one position as along one link', () => {
    const links = Array.from({ length: 2000 }, (_, i) => {
      const out = new Float32Array(100);
      new LinkRandom(9n, `link-${i}`).complexNormals(Purpose.noise, 0, 50, out);
      return out;
    });
    const across = new Float32Array(links.length * 100);
    for (let i = 0; i < 100; i++) for (const [j, link] of links.entries()) across[i * links.length + j] = link[i]!;
    for (let lag = 1; lag <= 20; lag++) expect(Math.abs(correlation(across, across, lag))).toBeLessThan(4.5);
    expect(Math.abs(mean(across, (x) => x)) * Math.sqrt(across.length)).toBeLessThan(4.5);
  });
});
