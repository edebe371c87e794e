import { LinkRandom } from '../../shared/channel/link-random.js';
import type { AirState } from './air/air-time.js';

/** A link that is in use: its random numbers, how far along them it is, and when its air is free. */
export interface Link {
  readonly random: LinkRandom;
  /** Symbols carried so far. */
  position: number;
  /** It was put there, by a snapshot, and has carried nothing since. */
  placed: boolean;
  readonly air: AirState;
}

/**
 * The links that are known, in two generations of half of `maxLinks` each: a link that is used moves to the young one;
 * when that is full it becomes the old one, and what was left in the old one is forgotten. So the links used last are
 * always known, at constant cost a frame. A forgotten link starts at position 0 when it comes again.
 */
export class LinkMemory {
  readonly #seed: bigint;
  readonly #maxLinks: number;
  #young = new Map<string, Link>();
  #old = new Map<string, Link>();

  constructor(seed: bigint, maxLinks: number) {
    this.#seed = seed;
    this.#maxLinks = maxLinks;
  }

  get seed(): bigint {
    return this.#seed;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The link, if it is known; counts as no use of it. */
  peek(linkId: string): Link | undefined {
    return this.#young.get(linkId) ?? this.#old.get(linkId);
  }

  /** The link, known from now on. */
  use(linkId: string): Link {
    const young = this.#young.get(linkId);
    if (young) return young;
    const link = this.#old.get(linkId) ?? {
      random: new LinkRandom(this.#seed, linkId),
      position: 0,
      placed: false,
      air: { freeAtMs: 0, lastArrivalMs: 0 },
    };
    this.#old.delete(linkId);
    if (this.#young.size >= Math.ceil(this.#maxLinks / 2)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(linkId, link);
    return link;
  }

  /** Every link with its position, those used longest ago first. */
  *entries(): Generator<[string, Link]> {
    yield* this.#old;
    yield* this.#young;
  }
}
