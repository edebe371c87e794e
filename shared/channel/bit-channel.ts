import { checkProbability } from './check-settings.js';
import { type LinkRandom, Purpose } from './link-random.js';

/** Where a link that carries bits stands. */
export interface BitLinkState {
  readonly random: LinkRandom;
  /** Bits the link has carried before these, 0 to 2^53. */
  readonly bitPosition: number;
}

/**
 * `bsc`: the binary symmetric channel, for payloads of bytes: each bit is flipped with probability p, independently. The
 * flip of bit i of a link follows from the link's random numbers and i, however bits are grouped into payloads. Bits of a
 * byte count from the most significant one. Steps of p are 2^-32.
 */
export class BinarySymmetricChannel {
  readonly name = 'bsc';
  readonly bitErrorProbability: number;
  readonly #draws = new Float64Array(512);

  /** @throws SemlinkError INVALID_ARGUMENT unless `bitErrorProbability` is 0 to 1 */
  constructor(bitErrorProbability: number) {
    checkProbability('bit_error_probability', bitErrorProbability);
    this.bitErrorProbability = bitErrorProbability;
  }

  /**
   * Sends a payload.
   * @param out as many bytes; may be `payload` itself
   * @returns the number of bits that were flipped
   */
  apply(payload: Uint8Array, link: BitLinkState, out: Uint8Array): number {
    const draws = this.#draws;
    let flipped = 0;
    for (let start = 0; start < payload.length; start += draws.length / 8) {
      const end = Math.min(payload.length, start + draws.length / 8);
      link.random.uniforms(Purpose.bitFlips, link.bitPosition + 8 * start, 8 * (end - start), draws);
      for (let i = start; i < end; i++) {
        let flips = 0;
        for (let bit = 0; bit < 8; bit++) {
          const flip = draws[8 * (i - start) + bit]! < this.bitErrorProbability ? 1 : 0;
          flips = 2 * flips + flip;
          flipped += flip;
        }
        out[i] = payload[i]! ^ flips;
      }
    }
    return flipped;
  }
}
