/** A counter's value at a time. */
interface Reading {
  readonly atMs: number;
  readonly values: ReadonlyMap<string, number>;
}

/**
 * How fast counters rise, over the last few readings. A counter that falls has started over with its service: what came
 * before does not count any more.
 */
export class Rates {
  readonly #readings: Reading[] = [];
  readonly #windowMs: number;

  /** @param windowMs time over which a rate is taken */
  constructor(windowMs = 3_000) {
    this.#windowMs = windowMs;
  }

  add(atMs: number, values: ReadonlyMap<string, number>): void {
    const last = this.#readings.at(-1);
    if (last && [...values].some(([name, value]) => value < (last.values.get(name) ?? 0))) this.clear();
    this.#readings.push({ atMs, values });
    // One reading at or before the window's beginning stays.
    while (this.#readings.length > 2 && this.#readings[1]!.atMs <= atMs - this.#windowMs) this.#readings.shift();
  }

  clear(): void {
    this.#readings.length = 0;
  }

  /** How much a counter has risen over the window; undefined when that is not known. */
  rise(name: string): number | undefined {
    const [first] = this.#readings;
    const last = this.#readings.at(-1);
    const end = last?.values.get(name);
    if (!first || last === first || end === undefined) return undefined;
    return end - (first.values.get(name) ?? 0);
  }

  /** Rise a second. */
  perSecond(name: string): number | undefined {
    const rise = this.rise(name);
    if (rise === undefined) return undefined;
    return (rise * 1e3) / (this.#readings.at(-1)!.atMs - this.#readings[0]!.atMs);
  }

  /** Rise of one counter over that of another: a mean of a histogram, a share; undefined when there was none. */
  ratio(name: string, over: string): number | undefined {
    const rise = this.rise(name);
    const base = this.rise(over);
    return rise === undefined || !base ? undefined : rise / base;
  }
}
