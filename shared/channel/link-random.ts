import { createHash } from 'node:crypto';
import { chacha8 } from './kernel/chacha8.js';
import { type BlockGains, type Kernel, type KernelPath, kernelOf } from './kernel/kernel.js';

/** What random numbers are for: each purpose is a stream of its own. Numbers are fixed for ever; new ones are added. */
export const Purpose = {
  noise: 0,
  blockFading: 1,
  fastFading: 2,
  lineOfSight: 3,
  sinusoids: 4,
  shadowing: 5,
  phaseNoise: 6,
  loss: 8,
  lossState: 9,
  lossChange: 10,
  bitFlips: 11,
  jitter: 12,
  feedbackLoss: 13,
  pilotError: 14,
  pilotNoise: 15,
  recheck: 16,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** Versioned, so that a better derivation can come without changing the channels of old recordings. */
const keyLabel = 'semlink-channel-v2';

let scratch = new Float32Array(128);
const words = new Int32Array(16);

/**
 * The random numbers of one link: a function of (seed, link id, purpose, index), the same on every machine, in whatever
 * order and however often they are asked for.
 *
 * The key is SHA-256("semlink-channel-v2\n<seed>\n<link id>"), seed in decimal, as eight little-endian words. How number
 * `index` of a purpose follows from the key is told in `kernel/reference.ts`. Numbers are of binary32.
 */
export class LinkRandom {
  readonly #kernel: Kernel;
  readonly #key = new Int32Array(8);

  /** `seed`: 0 to 2^64 - 1. `path`: the code that does the work; the numbers are the same. */
  constructor(seed: bigint, linkId: string, path: KernelPath = 'wasm') {
    const digest = createHash('sha256').update(`${keyLabel}\n${seed}\n${linkId}`, 'utf8').digest();
    for (let i = 0; i < 8; i++) this.#key[i] = digest.readInt32LE(4 * i);
    this.#kernel = kernelOf(path);
  }

  /** The code that does the work, for what needs no random numbers. */
  get kernel(): Kernel {
    return this.#kernel;
  }

  /**
   * Writes `count` complex numbers re, im, ... with independent N(0, 1) parts (so E|z|^2 = 2) to `out`, starting with
   * number `index` of the purpose. `index`: 0 to 2^53.
   */
  complexNormals(purpose: Purpose, index: number, count: number, out: Float64Array | Float32Array): void {
    const length = 2 * count;
    if (out instanceof Float32Array) {
      const target = out.length === length ? out : out.subarray(0, length);
      this.#kernel.normals(target, this.#key, purpose, index, 1);
      return;
    }
    if (scratch.length !== length) scratch = new Float32Array(length);
    this.#kernel.normals(scratch, this.#key, purpose, index, 1);
    for (let i = 0; i < length; i++) out[i] = scratch[i]!;
  }

  /** out = symbols + scale z with the numbers z of `complexNormals`. `out` is as long as `symbols`, or it. */
  addComplexNormals(symbols: Float32Array, out: Float32Array, purpose: Purpose, index: number, scale: number): void {
    this.#kernel.addNormals(symbols, out, this.#key, purpose, index, scale);
  }

  /** out = h symbols + scale z, with gains h held for blocks of symbols. */
  fadeBlocks(
    symbols: Float32Array,
    out: Float32Array,
    gains: BlockGains,
    purpose: Purpose,
    index: number,
    scale: number,
  ): void {
    this.#kernel.fadeBlocks(symbols, out, gains, this.#key, purpose, index, scale);
  }

  /**
   * Writes `count` numbers, uniform on [0, 1) in steps of 2^-32, to `out`, starting with number `index` of the purpose.
   * Number `index` is word index mod 16 of ChaCha block floor(index / 16). A purpose has either normals or uniforms.
   * `index`: 0 to 2^53.
   */
  uniforms(purpose: Purpose, index: number, count: number, out: Float64Array): void {
    const end = index + count;
    let at = 0;
    for (let block = Math.floor(index / 16); 16 * block < end; block++) {
      chacha8(this.#key, block, purpose, 0, words);
      const from = Math.max(index - 16 * block, 0);
      const to = Math.min(end - 16 * block, 16);
      for (let i = from; i < to; i++) out[at++] = (words[i]! >>> 0) / 2 ** 32;
    }
  }
}
