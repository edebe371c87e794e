import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalise } from './equaliser.js';
import { seededNormal } from './small-model.fixture.js';

const part = fc.double({ min: -4, max: 4, noNaN: true });
const complexNumber = fc.tuple(part, part);
type Complex = [number, number];
const times = ([a, b]: Complex, [c, d]: Complex): Complex => [a * c - b * d, a * d + b * c];
const powerOf = ([re, im]: Complex) => re * re + im * im;

/** h s of each symbol, each block of `blockSymbols` with its own h. */
function faded(sent: Complex[], gains: Complex[], blockSymbols: number): Float32Array {
  return Float32Array.from(sent.flatMap((s, i) => times(gains[Math.floor(i / blockSymbols)]!, s)));
}

const frame = fc
  .record({
    sent: fc.array(complexNumber, { minLength: 1, maxLength: 20 }),
    blockSymbols: fc.integer({ min: 1, max: 24 }),
    noisePower: fc.double({ min: 1e-4, max: 4, noNaN: true }),
  })
  .chain((known) => {
    const blocks = Math.ceil(known.sent.length / known.blockSymbols);
    return fc.array(complexNumber, { minLength: blocks, maxLength: blocks }).map((gains) => ({ ...known, gains }));
  });

describe('equalise', () => {
  it('without noise gives s |h|^2 / (|h|^2 + N0), block by block, the last one shorter', () => {
    fc.assert(
      fc.property(frame, ({ sent, gains, blockSymbols, noisePower }) => {
        const out = new Float32Array(2 * sent.length);
        equalise(faded(sent, gains, blockSymbols), { gains: gains.flat(), blockSymbols, noisePower }, out);
        sent.forEach(([re, im], i) => {
          const power = powerOf(gains[Math.floor(i / blockSymbols)]!);
          const shrink = power / (power + noisePower);
          expect(Math.abs(out[2 * i]! - re * shrink)).toBeLessThan(1e-4);
          expect(Math.abs(out[2 * i + 1]! - im * shrink)).toBeLessThan(1e-4);
        });
      }),
    );
  });

  it('gives the mean of |h|^2 / N0 over the symbols in dB, each block by its length', () => {
    fc.assert(
      fc.property(frame, ({ sent, gains, blockSymbols, noisePower }) => {
        const snrDb = equalise(
          faded(sent, gains, blockSymbols),
          { gains: gains.flat(), blockSymbols, noisePower },
          new Float32Array(2 * sent.length),
        );
        const mean =
          sent.reduce((sum, _, i) => sum + powerOf(gains[Math.floor(i / blockSymbols)]!), 0) / sent.length / noisePower;
        const expected = Math.min(Math.max(10 * Math.log10(mean), -90), 90);
        expect(snrDb).toBeCloseTo(expected, 6);
      }),
    );
  });

  it('weights blocks by length in an example done by hand', () => {
    // |h|^2 = 1 for two symbols and 4 for one: mean 2, N0 = 0.2, so 10 dB.
    const snrDb = equalise(
      Float32Array.of(1, 0, 1, 0, 2, 0),
      { gains: [0, 1, 2, 0], blockSymbols: 2, noisePower: 0.2 },
      new Float32Array(6),
    );
    expect(snrDb).toBeCloseTo(10, 10);
  });

  it('has the least mean square error among all scalings, at the error known in closed form', () => {
    const normal = seededNormal(5);
    const count = 20_000;
    const [gain, noisePower]: [Complex, number] = [[0.6, -0.9], 0.7];
    const sent: Complex[] = Array.from({ length: count }, () => [normal() / Math.SQRT2, normal() / Math.SQRT2]);
    const received = faded(sent, [gain], count).map((y) => y + normal() * Math.sqrt(noisePower / 2));
    const out = new Float32Array(2 * count);
    equalise(received, { gains: gain, blockSymbols: count, noisePower }, out);
    const error = (scale: number) => sent.flat().reduce((sum, s, i) => sum + (s - scale * out[i]!) ** 2, 0) / count;
    expect(error(1)).toBeCloseTo(noisePower / (powerOf(gain) + noisePower), 1);
    expect(error(1)).toBeLessThan(error(1.1));
    expect(error(1)).toBeLessThan(error(0.9));
  });

  it('stays a number on a dead channel and on a perfect one', () => {
    const out = new Float32Array(4);
    const dead = { gains: [0, 0], blockSymbols: 2, noisePower: 0 };
    expect(equalise(Float32Array.of(1, 2, 3, 4), dead, out)).toBe(-90);
    expect([...out]).toEqual([0, 0, 0, 0]);
    const perfect = { gains: [0, 1], blockSymbols: 2, noisePower: 0 };
    expect(equalise(Float32Array.of(1, 2, 3, 4), perfect, out)).toBe(90);
    expect([...out]).toEqual([2, -1, 4, -3]);
    expect(equalise(Float32Array.of(1, 2, 3, 4), { ...dead, noisePower: 0.5 }, out)).toBe(-90);
    expect([...out]).toEqual([0, 0, 0, 0]);
  });

  it('writes the first 2k numbers only', () => {
    const out = new Float32Array(6).fill(7);
    equalise(Float32Array.of(1, 1), { gains: [1, 0], blockSymbols: 4, noisePower: 1 }, out);
    expect([...out]).toEqual([0.5, 0.5, 7, 7, 7, 7]);
  });
});
