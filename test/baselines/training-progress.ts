/** A line of progress every so often, with rate and time left, for runs that take hours. */
export class TrainingProgress {
  readonly #what: string;
  readonly #total: number;
  readonly #unit: string;
  readonly #start = performance.now();
  readonly #first: number;
  #said = performance.now();

  /** @param first how many had been done before */
  constructor(what: string, total: number, unit: string, first = 0) {
    this.#what = what;
    this.#total = total;
    this.#unit = unit;
    this.#first = first;
  }

  /** @param everyMs least time between two lines */
  at(done: number, everyMs = 10_000): void {
    const now = performance.now();
    if (done < this.#total && now - this.#said < everyMs) return;
    this.#said = now;
    const rate = (done - this.#first) / ((now - this.#start) / 1e3);
    const left = rate > 0 ? Math.round((this.#total - done) / rate) : 0;
    const time = left >= 90 ? `${Math.round(left / 60)} min` : `${left} s`;
    const share = `${done} of ${this.#total} ${this.#unit}`;
    process.stderr.write(`${this.#what}: ${share}, ${rate.toFixed(rate < 10 ? 1 : 0)}/s, ${time} left\n`);
  }
}
