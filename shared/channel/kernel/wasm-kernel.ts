import { readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../build/compiled.js';
import type { BlockGains, Kernel } from './kernel.js';

/** What `assembly/kernel.ts` exports. Pointers are bytes, counts complex numbers. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  setKey(k0: number, k1: number, k2: number, k3: number, k4: number, k5: number, k6: number, k7: number): void;
  normals(to: number, count: number, index: number, purpose: number, scale: number): void;
  addNormals(to: number, count: number, index: number, purpose: number, scale: number): void;
  multiplyBlocks(symbols: number, count: number, gains: number, first: number, block: number): void;
  multiply(symbols: number, count: number, gains: number): void;
}

export const wasmFile = path.join(projectRoot, 'shared', 'channel', 'kernel', 'kernel.wasm');

// Layout of the 16 pages of memory, in bytes. The first 4 KiB are the module's own.
/** Symbols worked on at a time: with their gains they stay in the first-level cache. */
const chunk = 2048;
/** So few are copied one by one: quicker than by views of another length than the last one. */
const few = 32;
const symbolsAt = 4096;
const gainsAt = symbolsAt + 8 * chunk;
const roomAt = 65_536;
const roomSymbols = 65_536;

/** The kernel in WebAssembly SIMD; undefined where the engine cannot run it. */
export function loadWasmKernel(): Kernel | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const bytes = readFileSync(wasmFile);
  if (!WebAssembly.validate(bytes)) return undefined;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  return new WasmKernel(instance.exports as unknown as Exports);
}

class WasmKernel implements Kernel {
  readonly path = 'wasm';
  readonly #exports: Exports;
  readonly #memory: ArrayBuffer;
  readonly #floats: Float32Array;
  #key: Int32Array | undefined;
  /** Views of the chunk and of the room at the length asked for last: making one costs more than a small frame. */
  #view: Float32Array;
  #room: Float32Array;

  constructor(exports: Exports) {
    this.#exports = exports;
    this.#memory = exports.memory.buffer;
    this.#floats = new Float32Array(this.#memory);
    this.#view = new Float32Array(this.#memory, symbolsAt, 0);
    this.#room = new Float32Array(this.#memory, roomAt, 0);
  }

  normals(out: Float32Array, key: Int32Array, purpose: number, index: number, scale: number): void {
    this.#setKey(key);
    const count = out.length / 2;
    for (let start = 0; start < count; start += chunk) {
      const length = Math.min(chunk, count - start);
      this.#exports.normals(symbolsAt, length, index + start, purpose, scale);
      this.#take(out, start, length);
    }
  }

  addNormals(
    symbols: Float32Array,
    out: Float32Array,
    key: Int32Array,
    purpose: number,
    index: number,
    scale: number,
  ): void {
    this.#setKey(key);
    const count = symbols.length / 2;
    if (this.#isHere(symbols, out)) {
      this.#exports.addNormals(symbols.byteOffset, count, index, purpose, scale);
      return;
    }
    for (let start = 0; start < count; start += chunk) {
      const length = Math.min(chunk, count - start);
      this.#give(symbols, start, length, count);
      this.#exports.addNormals(symbolsAt, length, index + start, purpose, scale);
      this.#take(out, start, length);
    }
  }

  fadeBlocks(
    symbols: Float32Array,
    out: Float32Array,
    { gains, first, block }: BlockGains,
    key: Int32Array,
    purpose: number,
    index: number,
    scale: number,
  ): void {
    this.#setKey(key);
    const count = symbols.length / 2;
    const here = this.#isHere(symbols, out);
    // Where the current block ends, and which it is.
    let end = first;
    let number = 0;
    for (let start = 0; start < count; start += chunk) {
      const length = Math.min(chunk, count - start);
      let at = symbolsAt;
      if (here) at = symbols.byteOffset + 8 * start;
      else this.#give(symbols, start, length, count);
      const left = Math.min(end - start, length);
      let to = gainsAt / 4;
      this.#floats[to++] = gains[2 * number]!;
      this.#floats[to++] = gains[2 * number + 1]!;
      while (end < start + length) {
        number++;
        end += block;
        this.#floats[to++] = gains[2 * number]!;
        this.#floats[to++] = gains[2 * number + 1]!;
      }
      this.#exports.multiplyBlocks(at, length, gainsAt, left, Math.min(block, length));
      this.#exports.addNormals(at, length, index + start, purpose, scale);
      if (!here) this.#take(out, start, length);
      if (end === start + length) {
        number++;
        end += block;
      }
    }
  }

  multiply(symbols: Float32Array, out: Float32Array, gains: Float32Array): void {
    const count = symbols.length / 2;
    for (let start = 0; start < count; start += chunk) {
      const length = Math.min(chunk, count - start);
      this.#give(symbols, start, length, count);
      const part = length === count ? gains : gains.subarray(2 * start, 2 * (start + length));
      this.#floats.set(part, gainsAt / 4);
      this.#exports.multiply(symbolsAt, length, gainsAt);
      this.#take(out, start, length);
    }
  }

  room(count: number): Float32Array {
    if (!(count >= 1 && count <= roomSymbols)) throw new RangeError(`room for ${count} symbols; 1 to ${roomSymbols}`);
    if (this.#room.length !== 2 * count) this.#room = new Float32Array(this.#memory, roomAt, 2 * count);
    return this.#room;
  }

  #setKey(key: Int32Array): void {
    if (key === this.#key) return;
    this.#key = key;
    this.#exports.setKey(key[0]!, key[1]!, key[2]!, key[3]!, key[4]!, key[5]!, key[6]!, key[7]!);
  }

  #isHere(symbols: Float32Array, out: Float32Array): boolean {
    return symbols.buffer === this.#memory && out.buffer === this.#memory && symbols.byteOffset === out.byteOffset;
  }

  /** Copies symbols into the module's memory. */
  #give(symbols: Float32Array, start: number, length: number, count: number): void {
    this.#floats.set(length === count ? symbols : symbols.subarray(2 * start, 2 * (start + length)), symbolsAt / 4);
  }

  /** Copies them out. */
  #take(out: Float32Array, start: number, length: number): void {
    if (length <= few) {
      const floats = this.#floats;
      for (let i = 0; i < 2 * length; i++) out[2 * start + i] = floats[symbolsAt / 4 + i]!;
      return;
    }
    if (this.#view.length !== 2 * length) this.#view = new Float32Array(this.#memory, symbolsAt, 2 * length);
    out.set(this.#view, 2 * start);
  }
}
