// What the user sees while something takes longer than a moment.

const QUIET_MS = 2000; // nothing is said about what takes less
const TTY_MS = 200;
const LINE_MS = 5000;

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

/** `38 of 221 MB`, or `38 MB` where the total is not known. */
export function amount(bytes, total) {
  return total ? `${megabytes(Math.min(bytes, total))} of ${megabytes(total)} MB` : `${megabytes(bytes)} MB`;
}

/**
 * Reports on one task at a time: one line that updates itself on a terminal, a new line every five seconds elsewhere.
 */
export class Progress {
  #stream;
  #title = '';
  #detail = '';
  #startedAt = 0;
  #saidAt = 0;
  #drawn = false;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {NodeJS.WriteStream} [stream] */
  constructor(stream = process.stderr) {
    this.#stream = stream;
  }

  /** A line of its own, at once. */
  say(line) {
    this.#erase();
    this.#stream.write(`${line}\n`);
  }

  /** What is being done right now, e.g. `38 of 221 MB`. */
  detail(text) {
    this.#detail = text;
  }

  /**
   * Runs `work` under a title. Says what is going on from two seconds on, and that it is done at the end.
   *
   * @template T
   * @param {string} title
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async during(title, work) {
    this.#title = title;
    this.#detail = '';
    this.#startedAt = this.#saidAt = Date.now();
    this.#timer = setInterval(() => this.#tick(), this.#stream.isTTY ? TTY_MS : QUIET_MS / 4);
    try {
      const result = await work();
      const seconds = (Date.now() - this.#startedAt) / 1000;
      this.say(`  ${title}: done (${seconds.toFixed(1)} s)`);
      return result;
    } finally {
      clearInterval(this.#timer);
      this.#erase();
    }
  }

  #tick() {
    const now = Date.now();
    const line = `  ${this.#title}${this.#detail ? `: ${this.#detail}` : ''} (${Math.round((now - this.#startedAt) / 1000)} s)`;
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001b[2K${line.slice(0, (this.#stream.columns || 80) - 1)}`);
      this.#drawn = true;
      return;
    }
    const first = this.#saidAt === this.#startedAt;
    if (now - this.#saidAt < (first ? QUIET_MS : LINE_MS)) return;
    this.#saidAt = now;
    this.#stream.write(`${line}\n`);
  }

  #erase() {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.#stream.write('\r\u001b[2K');
  }
}
