import { describe, expect, it } from 'vitest';
import { bestAccuracy, capacityBound, meanOverRayleigh } from './capacity-bound.js';
import { codedLabelAccuracy, labelArrives, simplexCorrect } from './coded-label.js';

describe('the bound', () => {
  it('is chance without a channel, 1 from log2 M bits on, and rises between', () => {
    expect(bestAccuracy(0, 10)).toBeCloseTo(0.1, 6);
    expect(bestAccuracy(Math.log2(10), 10)).toBe(1);
    // Two classes: 1 - H2(1 - A) bits; H2(0.11) = 0.4999.
    expect(bestAccuracy(0.5, 2)).toBeCloseTo(0.89, 3);
    let last = 0;
    for (let bits = 0.1; bits < 3.4; bits += 0.1) {
      const accuracy = bestAccuracy(bits, 10);
      expect(accuracy).toBeGreaterThan(last);
      last = accuracy;
    }
  });

  it('averages over Exp(1): moments of the gain, and the closed form of an outage', () => {
    expect(meanOverRayleigh(() => 1)).toBeCloseTo(1, 12);
    expect(meanOverRayleigh((g) => g)).toBeCloseTo(1, 2);
    expect(meanOverRayleigh((g) => (g < 0.3 ? 1 : 0))).toBeCloseTo(1 - Math.exp(-0.3), 3);
    expect(capacityBound('rayleigh-block', 0, 4, 10)).toBeLessThan(capacityBound('awgn', 0, 4, 10));
  });
});

describe('the coded label', () => {
  it('with two words is antipodal signalling: 1 - Q(sqrt(2 E/N0))', () => {
    // Q(sqrt 2) = 0.0786496, Q(2) = 0.0227501.
    expect(simplexCorrect(1, 2)).toBeCloseTo(1 - 0.0786496, 5);
    expect(simplexCorrect(2, 2)).toBeCloseTo(1 - 0.0227501, 5);
    expect(simplexCorrect(0, 10)).toBeCloseTo(0.1, 5);
  });

  it('by optimised and simulated words comes to the closed form where both exist', () => {
    // Three labels in one complex use: the optimum is the simplex, 3-PSK. Four: QPSK, 1 - (1 - Q(sqrt SNR))^2.
    const snrDb = 6;
    expect(Math.abs(labelArrives('awgn', snrDb, 1, 4) - 0.9548)).toBeLessThan(0.006);
    const fade = meanOverRayleigh((g) => (1 - q(Math.sqrt(g * 10 ** (snrDb / 10)))) ** 2);
    expect(Math.abs(labelArrives('rayleigh-block', snrDb, 1, 4) - fade)).toBeLessThan(0.012);
  }, 120_000);

  it('never beats the bound, and rises with k', () => {
    for (const channel of ['awgn', 'rayleigh-block'] as const) {
      for (const snrDb of [-6, 4]) {
        let last = 0;
        for (const k of [2, 4, 8]) {
          const arrives = labelArrives(channel, snrDb, k, 10);
          expect(arrives).toBeLessThan(capacityBound(channel, snrDb, k, 10) + 1e-6);
          expect(arrives).toBeGreaterThanOrEqual(last);
          last = arrives;
        }
      }
    }
  }, 240_000);

  it('is the classifier where labels arrive, and chance where they do not', () => {
    expect(codedLabelAccuracy(0.9, 1, 10)).toBe(0.9);
    expect(codedLabelAccuracy(0.9, 0.1, 10)).toBeCloseTo(0.1, 12);
  });
});

/** Q(x) by integration. */
function q(x: number): number {
  let sum = 0;
  for (let z = x + 0.0005; z < 9; z += 0.001) sum += Math.exp((-z * z) / 2) * 0.001;
  return sum / Math.sqrt(2 * Math.PI);
}
