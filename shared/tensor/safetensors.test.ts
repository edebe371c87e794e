import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightTensor } from '../codec/weights.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';

const tensor: fc.Arbitrary<WeightTensor> = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }).chain((shape) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return fc
    .float32Array({ minLength: size, maxLength: size })
    .map((data) => ({ shape, data: Float32Array.from(data) }));
});
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !text.startsWith('__'));
const tensors = fc
  .uniqueArray(fc.tuple(name, tensor), { maxLength: 5, selector: ([key]) => key })
  .map((entries) => new Map(entries));
const metadata = fc.dictionary(name, fc.string({ unit: 'grapheme' }), { noNullPrototype: true });

/** A file with any header. */
function fileOf(header: unknown, data = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

const bits = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');

describe('safetensors', () => {
  it('come back bit for bit, from any offset in a buffer', () => {
    fc.assert(
      fc.property(tensors, metadata, fc.integer({ min: 0, max: 7 }), (written, notes, offset) => {
        const bytes = writeSafetensors(written, notes);
        const buffer = new Uint8Array(bytes.length + offset);
        buffer.set(bytes, offset);
        const read = readSafetensors(buffer.subarray(offset));
        expect(read.metadata).toEqual(notes);
        expect(new Set(read.tensors.keys())).toEqual(new Set(written.keys()));
        for (const [key, { shape, data }] of written) {
          expect(read.tensors.get(key)!.shape).toEqual(shape);
          expect(bits(read.tensors.get(key)!.data)).toBe(bits(data));
        }
      }),
    );
  });

  it('are laid out as the format says, the data at a multiple of 8 bytes', () => {
    fc.assert(
      fc.property(tensors, metadata, (written, notes) => {
        const bytes = writeSafetensors(written, notes);
        const length = Number(bytes.readBigUInt64LE(0));
        expect(length % 8).toBe(0);
        const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, { data_offsets: number[] }>;
        const total = [...written.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(bytes.length).toBe(8 + length + total);
        const { __metadata__: _, ...entries } = header;
        for (const [key, { data_offsets }] of Object.entries(entries)) {
          const [from, to] = data_offsets as [number, number];
          expect(bytes.toString('hex', 8 + length + from, 8 + length + to)).toBe(bits(written.get(key)!.data));
        }
      }),
    );
  });

  it('are the same bytes for the same arrays, of a view as of a copy', () => {
    const all = Float32Array.from({ length: 12 }, (_, i) => i / 7);
    const view = new Map([['a', { shape: [2, 3], data: all.subarray(3, 9) }]]);
    const copy = new Map([['a', { shape: [2, 3], data: all.slice(3, 9) }]]);
    expect(writeSafetensors(view, { note: 'x' })).toEqual(writeSafetensors(copy, { note: 'x' }));
  });

  it('say so wherever the file is cut short', () => {
    const whole = writeSafetensors(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]), { note: 'x' });
    for (let length = 0; length < whole.length; length++) {
      expect(() => readSafetensors(whole.subarray(0, length))).toThrow(
        length < 8 ? /not a safetensors file/ : /cut short/,
      );
    }
    expect(readSafetensors(whole).tensors.size).toBe(1);
  });

  const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  it.each([
    ['a header that is not JSON', fileOf('{"a": '), /header is not JSON/],
    ['a header that is no object', fileOf('null'), /header/],
    ['another element type', fileOf({ a: { ...entry, dtype: 'F16' } }, new Uint8Array(8)), /"a" has type F16/],
    ['a shape of another size', fileOf({ a: { ...entry, shape: [3] } }, new Uint8Array(8)), /"a" of shape \[3\]/],
    ['data behind the end', fileOf({ a: { ...entry, data_offsets: [4, 12] } }, new Uint8Array(8)), /"a".*cut short/],
    ['data before the beginning', fileOf({ a: { ...entry, data_offsets: [-4, 4] } }, new Uint8Array(8)), /"a"/],
    ['no offsets', fileOf({ a: { dtype: 'F32', shape: [2] } }, new Uint8Array(8)), /"a"/],
    ['no shape', fileOf({ a: { dtype: 'F32', data_offsets: [0, 8] } }, new Uint8Array(8)), /"a"/],
    ['a shape that is no size', fileOf({ a: { ...entry, shape: [-1, -2] } }, new Uint8Array(8)), /"a"/],
    ['an entry that is nothing', fileOf({ a: null }, new Uint8Array(8)), /"a"/],
  ])('refuse %s by a sentence', (_, file, sentence) => {
    expect(() => readSafetensors(file)).toThrow(sentence);
    expect(() => readSafetensors(file)).toThrow(/safetensors/);
  });

  it('are read whole or refused by a sentence, whatever is damaged', () => {
    const whole = writeSafetensors(new Map([['layer', { shape: [2, 2], data: new Float32Array(4) }]]), { note: 'x' });
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= change;
        try {
          for (const { shape, data } of readSafetensors(damaged).tensors.values()) {
            expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
          }
        } catch (error) {
          expect((error as Error).message).toMatch(/safetensors/);
        }
      }),
      { numRuns: 400 },
    );
  });
});
