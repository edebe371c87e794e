import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChannelModel } from '../channel/channel-config.js';
import { LinkRandom } from '../channel/link-random.js';
import { boundBits, InformationBound } from './information-bound.js';

const constant = (gain: number, noisePower: number, k: number) => ({ gains: [gain, 0], blockSymbols: k, noisePower });

describe('boundBits', () => {
  it('is k times the capacity of AWGN when every symbol has unit power', () => {
    expect(boundBits([1, 1, 1], () => 7)).toBeCloseTo(9, 12);
  });

  it('is the mutual information of parallel Gaussian channels', () => {
    // I(S; hS + N) = log det(I + diag(p |h|^2) / N0) (Cover and Thomas, 9.4).
    expect(boundBits([1.5, 0.5, 0], (i) => [10, 2, 5][i]!)).toBeCloseTo(Math.log2(16) + Math.log2(2), 12);
  });

  it('is greatest, at a fixed total power and equal gains, when power is even', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 4, noNaN: true }), { minLength: 1, maxLength: 16 }),
        fc.double({ min: 0.01, max: 1000, noNaN: true }),
        (power, snr) => {
          const even = power.map(() => power.reduce((a, b) => a + b, 0) / power.length);
          expect(boundBits(power, () => snr)).toBeLessThanOrEqual(boundBits(even, () => snr) + 1e-9);
        },
      ),
    );
  });
});

describe('InformationBound', () => {
  it('takes the expected power over images, not the mean of single bounds', () => {
    const bound = new InformationBound(2);
    bound.add(Float32Array.of(Math.SQRT2, 0, 0, 0), constant(1, 0.1, 2));
    bound.add(Float32Array.of(0, 0, 0, Math.SQRT2), constant(1, 0.1, 2));
    expect(bound.bits()).toBeCloseTo(2 * Math.log2(11), 5);
  });

  it('takes the mean over fades, and every symbol with the gain of its block', () => {
    const bound = new InformationBound(3);
    const ones = Float32Array.of(1, 0, 0, 1, -1, 0);
    bound.add(ones, { gains: [1, 0, 0, 2], blockSymbols: 2, noisePower: 0.5 });
    bound.add(ones, { gains: [0, 0, 0, 0], blockSymbols: 2, noisePower: 0.5 });
    expect(bound.bits()).toBeCloseTo((2 * Math.log2(3) + Math.log2(9)) / 2, 12);
  });

  it('counts the symbols that hold the energy, wherever they stand', () => {
    const bound = new InformationBound(4);
    bound.add(Float32Array.of(0, 0, Math.sqrt(3), 0, 0.1, 0, 0, 1), constant(1, 0.1, 4));
    expect([bound.occupied(0.74), bound.occupied(), bound.occupied(0.999)]).toEqual([1, 2, 3]);
  });

  it('over block Rayleigh comes to k times the ergodic capacity', () => {
    const k = 4;
    const bound = new InformationBound(k);
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 });
    const random = new LinkRandom(3n, 'bound');
    const symbols = Float32Array.from({ length: 2 * k }, () => Math.SQRT1_2);
    for (let i = 0; i < 40_000; i++) {
      bound.add(symbols, model.apply(symbols, { random, position: i * k }, new Float32Array(2 * k)));
    }
    // E log2(1 + 10 g), g ~ Exp(1), is e^(1/10) E1(1/10) / ln 2 (Telatar 1999): 2.9058 bits.
    expect(Math.abs(bound.bits() / k - 2.9058)).toBeLessThan(0.03);
  });
});
