import { createHash } from 'node:crypto';
import { philox4x32 } from '../../shared/random/philox.js';

/**
 * A fixed random projection of features from `from` to `to` values that keeps distances as well as one can
 * (Achlioptas 2003): every entry is +1 or -1 times 1/sqrt(to). A function of the two sizes alone, so knowledge made on
 * different machines fits together.
 *
 * The signs are the bits of Philox under the first 8 bytes of SHA-256("semlink-projection-v1\n<from>\n<to>"): entry
 * (row, column) with index i = row * from + column is bit i mod 32 of word floor(i / 32) mod 4 of counter
 * (floor(i / 128), 0, 0, 0); 1 is +.
 */
export class FeatureProjection {
  readonly #from: number;
  readonly #to: number;
  readonly #signs: Int8Array;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
    this.#signs = new Int8Array(from * to);
    const digest = createHash('sha256').update(`semlink-projection-v1\n${from}\n${to}`).digest();
    const words = new Uint32Array(4);
    for (let i = 0; i < this.#signs.length; i++) {
      if (i % 128 === 0) philox4x32(words, i / 128, 0, 0, 0, digest.readUInt32LE(0), digest.readUInt32LE(4));
      this.#signs[i] = (words[(i >>> 5) & 3]! >>> (i & 31)) & 1 ? 1 : -1;
    }
  }

  /** @param features count x from values @returns count x to values */
  apply(features: Float32Array, count: number): Float32Array {
    const out = new Float32Array(count * this.#to);
    const scale = 1 / Math.sqrt(this.#to);
    for (let image = 0; image < count; image++) {
      for (let row = 0; row < this.#to; row++) {
        let sum = 0;
        const signs = row * this.#from;
        const from = image * this.#from;
        for (let column = 0; column < this.#from; column++) {
          sum += this.#signs[signs + column]! * features[from + column]!;
        }
        out[image * this.#to + row] = sum * scale;
      }
    }
    return out;
  }
}
