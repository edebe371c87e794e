import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SymbolFormat } from '../gen/semlink/v1/frame_pb.js';
import { decodeSymbols, encodeSymbols, sc16Scale } from './symbols.js';

const component = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 });
const symbols = fc
  .array(component, { minLength: 2, maxLength: 64 })
  .map((all) => new Float32Array(all.slice(0, all.length & ~1)));
const { FC32, SC16 } = SymbolFormat;

function decoded(
  format: SymbolFormat,
  iq: Uint8Array,
  sc16Scale = 1,
  channelUses = iq.length / (format === FC32 ? 8 : 4),
) {
  return decodeSymbols({ format, iq, sc16Scale, channelUses });
}

describe('symbols', () => {
  it('FC32 comes back bit for bit, from any offset in a buffer', () => {
    fc.assert(
      fc.property(symbols, fc.integer({ min: 0, max: 7 }), (sent, offset) => {
        const { iq, scale } = encodeSymbols(FC32, sent);
        expect(scale).toBe(0);
        const buffer = new Uint8Array(iq.length + offset);
        buffer.set(iq, offset);
        expect(decoded(FC32, buffer.subarray(offset))).toEqual(sent);
      }),
    );
  });

  it('SC16 comes back within half a step, whatever the magnitude', () => {
    fc.assert(
      fc.property(symbols, (sent) => {
        const { iq, scale } = encodeSymbols(SC16, sent);
        expect(Math.fround(scale)).toBe(scale);
        const received = decoded(SC16, iq, scale);
        for (const [i, value] of sent.entries()) {
          expect(Math.abs(received[i]! - value)).toBeLessThanOrEqual(0.503 * scale);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('SC16 of unit-power symbols is better than 90 dB', () => {
    const sent = Float32Array.from({ length: 64 }, (_, i) => Math.SQRT1_2 * (i % 3 === 0 ? -1 : 1));
    const { iq, scale } = encodeSymbols(SC16, sent);
    const received = decoded(SC16, iq, scale);
    const noise = sent.reduce((sum, value, i) => sum + (value - received[i]!) ** 2, 0);
    const power = sent.reduce((sum, value) => sum + value ** 2, 0);
    expect(10 * Math.log10(power / noise)).toBeGreaterThan(90);
  });

  it('is little-endian, rounds halves away from zero and saturates', () => {
    const given = encodeSymbols(SC16, Float32Array.of(0.5, -0.5, 1.49, -1.5, 40_000, -40_000), 1);
    expect([...given.iq]).toEqual([1, 0, 255, 255, 1, 0, 254, 255, 255, 127, 0, 128]);
    expect([...encodeSymbols(FC32, Float32Array.of(1, -2)).iq]).toEqual([0, 0, 128, 63, 0, 0, 0, 192]);
    expect([...decoded(SC16, Uint8Array.of(0, 128, 255, 127), 0.5)]).toEqual([-16384, 16383.5]);
  });

  it('has a scale for silence', () => {
    expect(sc16Scale(new Float32Array(4))).toBe(1);
    expect([...decoded(SC16, encodeSymbols(SC16, new Float32Array(2)).iq, 1)]).toEqual([0, 0]);
  });

  it('names what does not fit', () => {
    const bytes = new Uint8Array(16);
    expect(() => decoded(FC32, bytes, 0, 3)).toThrow('length of iq is "16 bytes"; 3 FC32 symbols take 24');
    expect(() => decoded(SC16, bytes, 0)).toThrow(/^sc16_scale is 0; SC16 needs/);
    expect(() => decoded(SC16, bytes, Number.NaN)).toThrow(/^sc16_scale is NaN/);
    expect(() => decoded(SC16, bytes, 1, 0)).toThrow('channel_uses is 0; use 1 to 65536');
    expect(() => decoded(SymbolFormat.UNSPECIFIED, bytes)).toThrow(
      /^symbol format is "UNSPECIFIED"; use SYMBOL_FORMAT_SC16/,
    );
    expect(() => decoded(77 as SymbolFormat, bytes)).toThrow(/^symbol format is 77/);
  });

  it('names the first symbol that is no number, on both ways', () => {
    fc.assert(
      fc.property(symbols, fc.nat(), fc.constantFrom(Number.NaN, Infinity, -Infinity), (sent, position, bad) => {
        const index = position % sent.length;
        sent[index] = bad;
        const message = new RegExp(`^${index % 2 === 0 ? 'I' : 'Q'} of symbol ${index >> 1} is (NaN|-?Infinity);`);
        expect(() => encodeSymbols(SC16, sent)).toThrow(message);
        expect(() => encodeSymbols(FC32, sent)).toThrow(message);
        expect(() => decoded(FC32, new Uint8Array(sent.buffer))).toThrow(message);
      }),
    );
    expect(() => decoded(SC16, Uint8Array.of(255, 127, 0, 0), 3e38)).toThrow('I of symbol 0 is Infinity');
  });
});
