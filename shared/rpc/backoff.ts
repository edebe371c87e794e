/** Delays between attempts to reach a peer: doubling, bounded, with seeded jitter of plus or minus a quarter. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  #state: number;
  #failures = 0;

  /** `seed`: any integer; the same seed gives the same delays. */
  constructor(baseMs: number, maxMs: number, seed: number) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
    this.#state = seed >>> 0;
  }

  /** Milliseconds to wait after one more failure; between 3/4 and 5/4 of min(max, base * 2^failures). */
  next(): number {
    const delay = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.#failures++, 30));
    // One step of a linear congruential generator (Numerical Recipes) is random enough to spread reconnects.
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return delay * (0.75 + (this.#state / 2 ** 32) * 0.5);
  }

  /** The peer answered: the next failure starts from the base again. */
  reset(): void {
    this.#failures = 0;
  }
}
