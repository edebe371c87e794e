import { jsKernel } from './js-kernel.js';
import { loadWasmKernel } from './wasm-kernel.js';

/** Which code does the work. Both give the same bits; `js` is the reference and what runs without WebAssembly SIMD. */
export type KernelPath = 'wasm' | 'js';
export const kernelPaths = ['wasm', 'js'] as const satisfies KernelPath[];

/**
 * The hot loops of the channel. Symbols and gains are re, im, ... in binary32; the count of symbols is half the length of
 * `symbols`, `out` is as long and may be `symbols` itself. Random numbers are those of `reference.ts`: N(0, 1) parts
 * times `scale`, number `index` (0 to 2^53) of `purpose` under `key` (eight words) first.
 */
export interface Kernel {
  readonly path: KernelPath;
  /** out = scale z. */
  normals(out: Float32Array, key: Int32Array, purpose: number, index: number, scale: number): void;
  /** out = symbols + scale z. */
  addNormals(
    symbols: Float32Array,
    out: Float32Array,
    key: Int32Array,
    purpose: number,
    index: number,
    scale: number,
  ): void;
  /** out = h symbols + scale z, with gains h held for blocks of symbols. */
  fadeBlocks(
    symbols: Float32Array,
    out: Float32Array,
    gains: BlockGains,
    key: Int32Array,
    purpose: number,
    index: number,
    scale: number,
  ): void;
  /** out = h symbols, a gain a symbol. `gains` is as long as `symbols`. */
  multiply(symbols: Float32Array, out: Float32Array, gains: Float32Array): void;
  /**
   * A place for `count` symbols (1 to 65,536) that the kernel works on without copying when it is both `symbols` and
   * `out`. There is one: what it holds is lost when it is asked for again.
   */
  room(count: number): Float32Array;
}

export interface BlockGains {
  /** re, im of each block, binary32 values. */
  readonly gains: ArrayLike<number>;
  /** Symbols of the first block, 1 or more. */
  readonly first: number;
  /** Symbols of the blocks after it, 1 or more; the last may be cut short. */
  readonly block: number;
}

let wasmKernel: Kernel | undefined;

/** The kernel of a path, loaded once. `wasm` is `js` where the engine has no WebAssembly (node --jitless) or no SIMD. */
export function kernelOf(path: KernelPath): Kernel {
  if (path === 'js') return jsKernel;
  wasmKernel ??= loadWasmKernel() ?? jsKernel;
  return wasmKernel;
}
