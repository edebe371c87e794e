/** Buckets a doubling: quantiles are right to 1/64. */
const PER_OCTAVE = 64;
/** Least latency told apart, seconds. */
const LEAST = 1e-6;

/** Latencies in logarithmic buckets: as small after a billion of them as after a hundred. */
export class LatencyHistogram {
  readonly #counts = new Map<number, number>();
  #total = 0;

  /** @param seconds at least 0 */
  add(seconds: number): void {
    const bucket = Math.floor(PER_OCTAVE * Math.log2(Math.max(seconds, LEAST) / LEAST));
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#total++;
  }

  /**
   * @param q 0 to 1
   * @returns seconds, the upper end of the bucket that holds the quantile; 0 when there is nothing yet
   */
  quantile(q: number): number {
    let seen = 0;
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      seen += count;
      if (seen >= q * this.#total) return LEAST * 2 ** ((bucket + 1) / PER_OCTAVE);
    }
    return 0;
  }
}
