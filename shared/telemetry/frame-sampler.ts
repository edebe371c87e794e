import { samplingHash } from './frame-identity.js';

/** A share of all frames, by a hash of link and sequence: the same frames in every run and in every service. */
export class FrameSampler {
  readonly #threshold: number;

  /** @param share of frames taken, 0 to 1 */
  constructor(share: number) {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`the share of frames must be from 0 to 1, not ${share}`);
    this.#threshold = share * 2 ** 32;
  }

  takes(linkId: string, sequence: bigint): boolean {
    return this.#threshold > 0 && samplingHash(linkId, sequence) < this.#threshold;
  }
}
