import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../build/compiled.js';
import { kernelOf } from './kernel.js';
import { wasmFile } from './wasm-kernel.js';

const wasm = kernelOf('wasm');
const js = kernelOf('js');
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const key = fc.array(word, { minLength: 8, maxLength: 8 }).map((words) => Int32Array.from(words));
const index = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2 ** 53 - 10_000 }));
const purpose = fc.integer({ min: 0, max: 100 });
const scale = fc.double({ min: 1e-4, max: 100, noNaN: true });
/** Frames within one group of numbers, over several, and over more than the kernel takes at a time. */
const count = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 2000, max: 4500 }));

/** Symbols that any seed makes anew: -2 to 2, with all digits of a binary32. */
function symbolsOf(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: 2 * count }, (_, i) => 2 * Math.sin(i * 7.1 + seed));
}

const bytes = (numbers: Float32Array) => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);

function expectSameBits(a: Float32Array, b: Float32Array): void {
  // Without walking over both, as toEqual does, which takes seconds here.
  if (!bytes(a).equals(bytes(b))) expect(a).toEqual(b);
  expect(a.length).toBe(b.length);
}

describe('the two kernels', () => {
  it('are two', () => {
    expect(wasm.path).toBe('wasm');
    expect(js.path).toBe('js');
    expect(kernelOf('wasm')).toBe(wasm);
  });

  it('draw the same bits', () => {
    fc.assert(
      fc.property(key, purpose, index, scale, count, (key, purpose, index, scale, count) => {
        const [a, b] = [new Float32Array(2 * count), new Float32Array(2 * count)];
        wasm.normals(a, key, purpose, index, scale);
        js.normals(b, key, purpose, index, scale);
        expectSameBits(a, b);
      }),
      { numRuns: 60 },
    );
  });

  it('add the same noise, in place and not, in the kernel and outside', () => {
    fc.assert(
      fc.property(key, purpose, index, scale, count, (key, purpose, index, scale, count) => {
        const symbols = symbolsOf(count, index);
        const expected = new Float32Array(2 * count);
        js.addNormals(symbols, expected, key, purpose, index, scale);
        for (const kernel of [wasm, js]) {
          const out = new Float32Array(2 * count);
          kernel.addNormals(symbols, out, key, purpose, index, scale);
          expectSameBits(out, expected);
          const inPlace = symbols.slice();
          kernel.addNormals(inPlace, inPlace, key, purpose, index, scale);
          expectSameBits(inPlace, expected);
          const room = kernel.room(count);
          room.set(symbols);
          kernel.addNormals(room, room, key, purpose, index, scale);
          expectSameBits(room, expected);
        }
        expect(symbols).toEqual(symbolsOf(count, index));
      }),
      { numRuns: 40 },
    );
  });

  it('fade blocks alike, whatever their borders', () => {
    const blocks = fc.record({ first: fc.integer({ min: 1, max: 3000 }), block: fc.integer({ min: 1, max: 3000 }) });
    const short = fc.record({ first: fc.integer({ min: 1, max: 9 }), block: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(
        key,
        fc.oneof(blocks, short),
        index,
        count,
        fc.boolean(),
        (key, { first, block }, index, count, room) => {
          const gains = symbolsOf(1 + Math.ceil(count / block), index + 1);
          const symbols = symbolsOf(count, index);
          const expected = new Float32Array(2 * count);
          js.fadeBlocks(symbols, expected, { gains, first, block }, key, 0, index, 0.25);
          const out = room ? wasm.room(count) : new Float32Array(2 * count);
          if (room) out.set(symbols);
          wasm.fadeBlocks(room ? out : symbols, out, { gains, first, block }, key, 0, index, 0.25);
          expectSameBits(out, expected);
          // Against the definition, in binary64.
          const noise = new Float32Array(2 * count);
          js.normals(noise, key, 0, index, 0.25);
          for (const i of [0, first - 1, first, first + block - 1, first + block, count - 1]) {
            if (i >= count) continue;
            const b = i < first ? 0 : 1 + Math.floor((i - first) / block);
            const re = gains[2 * b]! * symbols[2 * i]! - gains[2 * b + 1]! * symbols[2 * i + 1]!;
            const im = gains[2 * b]! * symbols[2 * i + 1]! + gains[2 * b + 1]! * symbols[2 * i]!;
            expect(Math.abs(expected[2 * i]! - re - noise[2 * i]!)).toBeLessThan(2e-6);
            expect(Math.abs(expected[2 * i + 1]! - im - noise[2 * i + 1]!)).toBeLessThan(2e-6);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('multiply by a gain a symbol alike', () => {
    fc.assert(
      fc.property(index, count, (seed, count) => {
        const symbols = symbolsOf(count, seed);
        const gains = symbolsOf(count, seed + 2);
        const [a, b] = [new Float32Array(2 * count), new Float32Array(2 * count)];
        wasm.multiply(symbols, a, gains);
        js.multiply(symbols, b, gains);
        expectSameBits(a, b);
      }),
      { numRuns: 40 },
    );
  });

  it('give number i whatever else is drawn with it', () => {
    fc.assert(
      fc.property(key, index, fc.integer({ min: 0, max: 300 }), (key, index, before) => {
        const start = Math.max(0, index - before);
        for (const kernel of [wasm, js]) {
          const one = new Float32Array(2);
          kernel.normals(one, key, 3, index, 1);
          const many = new Float32Array(2 * (index - start + 1));
          kernel.normals(many, key, 3, start, 1);
          expect(many.slice(-2)).toEqual(one);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('kernel.wasm', () => {
  it('is what its source compiles to', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'semlink-kernel-'));
    try {
      const built = path.join(folder, 'kernel.wasm');
      execFileSync(process.execPath, [path.join(projectRoot, 'shared/channel/kernel/build.mjs'), built]);
      expect(readFileSync(built).equals(readFileSync(wasmFile))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
    // The compiler is WebAssembly that starts cold: two seconds, and more on a busy machine.
  }, 120_000);
});
