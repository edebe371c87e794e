import { createHash } from 'node:crypto';
import { normalFromWord } from './normal.js';
import { philox4x32 } from './philox.js';

/** What random numbers are for: each purpose is a stream of its own. Numbers are fixed for ever; new ones are added. */
export const Purpose = {
  noise: 0,
  blockFading: 1,
  fastFading: 2,
  lineOfSight: 3,
  sinusoids: 4,
  shadowing: 5,
  phaseNoise: 6,
  carrierPhase: 7,
  loss: 8,
  lossState: 9,
  lossChange: 10,
  bitFlips: 11,
  jitter: 12,
  feedbackLoss: 13,
  pilotError: 14,
  pilotNoise: 15,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** Versioned, so that a better derivation can come without changing the channels of old recordings. */
const keyLabel = 'semlink-channel-v1';

/**
 * The random numbers of one link: a function of (seed, link id, purpose, index), the same on every machine, in whatever
 * order and however often they are asked for.
 *
 * The Philox key is the first 8 bytes, as two little-endian words, of SHA-256("semlink-channel-v1\n<seed>\n<link id>")
 * with the seed in decimal. Complex number `index` of a purpose takes words 0 and 1 (even index) or 2 and 3 (odd index)
 * of counter (low 32 bits of index/2, high bits of index/2, 0, purpose).
 */
export class LinkRandom {
  readonly #key0: number;
  readonly #key1: number;
  readonly #words = new Uint32Array(4);

  /** `seed`: 0 to 2^64 - 1. */
  constructor(seed: bigint, linkId: string) {
    const digest = createHash('sha256').update(`${keyLabel}\n${seed}\n${linkId}`, 'utf8').digest();
    this.#key0 = digest.readUInt32LE(0);
    this.#key1 = digest.readUInt32LE(4);
  }

  /**
   * Writes `count` complex numbers re, im, ... with independent N(0, 1) parts (so E|z|^2 = 2) to `out`, starting with
   * number `index` of the purpose. `index`: 0 to 2^53.
   */
  complexNormals(purpose: Purpose, index: number, count: number, out: Float64Array): void {
    const words = this.#words;
    const end = index + count;
    let at = 0;
    for (let block = Math.floor(index / 2); 2 * block < end; block++) {
      philox4x32(words, block >>> 0, Math.floor(block / 2 ** 32), 0, purpose, this.#key0, this.#key1);
      if (2 * block >= index) {
        out[at++] = normalFromWord(words[0]!);
        out[at++] = normalFromWord(words[1]!);
      }
      if (2 * block + 1 < end) {
        out[at++] = normalFromWord(words[2]!);
        out[at++] = normalFromWord(words[3]!);
      }
    }
  }
}
