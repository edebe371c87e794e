import type { LinkRandom } from './link-random.js';

/**
 * What a model has worked out for a link and would have to work out again. Only speed depends on it: whatever is in it
 * follows from the link's random numbers.
 *
 * Bounded: two generations of half of `maxLinks` each; when the young one is full it becomes the old one and the old one
 * is forgotten, so the links used last stay at constant cost.
 */
export class LinkCache<T> {
  readonly #half: number;
  readonly #make: (random: LinkRandom) => T;
  #young = new Map<LinkRandom, T>();
  #old = new Map<LinkRandom, T>();
  #last: LinkRandom | undefined;
  #lastValue: T | undefined;

  /** `maxLinks`: most links that are remembered, at least 2. */
  constructor(maxLinks: number, make: (random: LinkRandom) => T) {
    this.#half = Math.max(1, Math.floor(maxLinks / 2));
    this.#make = make;
  }

  /** Links remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  of(random: LinkRandom): T {
    if (random === this.#last) return this.#lastValue!;
    let value = this.#young.get(random);
    if (value === undefined) {
      value = this.#old.get(random) ?? this.#make(random);
      this.#old.delete(random);
      if (this.#young.size >= this.#half) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(random, value);
    }
    this.#last = random;
    this.#lastValue = value;
    return value;
  }
}
