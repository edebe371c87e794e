import type { WriteStream } from 'node:tty';

const BAR = 24;
/** Least time between two updates on a terminal, and where there is none, ms. */
const UPDATE_MS = { terminal: 100, file: 5_000 };

/** One line of progress: updated in place on a terminal, written now and then elsewhere. */
export class ProgressLine {
  readonly #out: WriteStream;
  #last: number;
  #shown = false;

  constructor(out: WriteStream) {
    this.#out = out;
    // A job that is done at once needs no line in a log.
    this.#last = out.isTTY ? Number.NEGATIVE_INFINITY : performance.now();
  }

  /** @param share done, 0 to 1 */
  update(text: string, share: number): void {
    const now = performance.now();
    if (now - this.#last < (this.#out.isTTY ? UPDATE_MS.terminal : UPDATE_MS.file)) return;
    this.#last = now;
    const full = Math.round(BAR * Math.min(Math.max(share, 0), 1));
    const line = `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ${text}`;
    if (!this.#out.isTTY) {
      this.#out.write(`${line}\n`);
      return;
    }
    // Cut to the width, for a line that wraps cannot be updated in place.
    this.#out.write(`\r\x1b[K${line.slice(0, (this.#out.columns ?? 80) - 1)}`);
    this.#shown = true;
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (this.#shown) this.#out.write('\r\x1b[K');
    this.#shown = false;
  }
}
