/**
 * A bound on how often something may be done: `perSecond` times a second over long, up to `burst` times at once. Without
 * a clock of its own: whoever asks says when it is.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = Number.NEGATIVE_INFINITY;

  /** @param perSecond 0: never */
  constructor(perSecond: number, burst = perSecond) {
    this.#perSecond = perSecond;
    this.#burst = perSecond > 0 ? Math.max(1, burst) : 0;
    this.#tokens = this.#burst;
  }

  /**
   * Whether it may be done now; then it counts as done.
   *
   * @param nowMs milliseconds of any steady clock
   */
  take(nowMs: number): boolean {
    if (nowMs > this.#atMs) {
      const gained = ((nowMs - this.#atMs) / 1e3) * this.#perSecond;
      this.#tokens = Math.min(this.#burst, this.#tokens + gained) || 0;
      this.#atMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
