/** One image that went in, and what came out, as the page shows it. */
export interface AnsweredImage {
  /** Rises by one with each answer. */
  readonly id: number;
  readonly sequence: number;
  /** Index in the data set. */
  readonly index: number;
  readonly trueLabel: number;
  /** Undefined: the answer is an error. */
  readonly label: number | undefined;
  /** Of `label`, 0 to 1. */
  readonly confidence: number;
  /** k; 0: it never reached the air. */
  readonly channelUses: number;
  readonly payloadBytes: number;
  /** Average Es/N0 on the air, dB; undefined: it never reached it. */
  readonly snrDb: number | undefined;
  readonly latencySeconds: number;
}

/** What the latest answers say together; null where they say nothing. */
export interface AnswerFigures {
  /** Answers it is taken over. */
  readonly window: number;
  /** Share of classified images that were right, 0 to 1. */
  readonly accuracy: number | null;
  readonly channelUses: number | null;
  readonly payloadBytes: number | null;
  readonly snrDb: number | null;
  readonly latencyMedianSeconds: number | null;
  readonly latencyP95Seconds: number | null;
}

/** Answers that figures are taken over: three seconds of the usual rate. */
const windowAnswers = 60;
/** Older answers say nothing of how things are, ms. */
const mostAgeMs = 10_000;

/** The console's latest answers, bounded. */
export class Answers {
  readonly #window: AnsweredImage[] = [];
  /** When each of the window came. */
  readonly #times: number[] = [];
  readonly #now: () => number;
  #answered = 0;
  #errors = 0;

  /** @param now milliseconds that rise steadily */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Answers so far, errors among them. */
  get answered(): number {
    return this.#answered;
  }

  get errors(): number {
    return this.#errors;
  }

  add(answer: Omit<AnsweredImage, 'id'>): void {
    this.#answered++;
    if (answer.label === undefined) this.#errors++;
    this.#window.push({ ...answer, id: this.#answered });
    this.#times.push(this.#now());
    if (this.#window.length > windowAnswers) this.#forget(1);
  }

  /** The latest answers that came after one, oldest first; at most `count`. */
  after(id: number, count: number): readonly AnsweredImage[] {
    return this.#window.slice(-count).filter((answer) => answer.id > id);
  }

  /** Forgets the answers, not how many there were: after a pause they are old. */
  clear(): void {
    this.#forget(this.#window.length);
  }

  figures(): AnswerFigures {
    const since = this.#now() - mostAgeMs;
    const fresh = this.#times.findIndex((atMs) => atMs >= since);
    this.#forget(fresh < 0 ? this.#window.length : fresh);
    const classified = this.#window.filter(({ label }) => label !== undefined);
    const onAir = this.#window.filter(({ channelUses }) => channelUses > 0);
    const right = classified.filter(({ label, trueLabel }) => label === trueLabel);
    const latencies = classified.map(({ latencySeconds }) => latencySeconds).sort((a, b) => a - b);
    return {
      window: this.#window.length,
      accuracy: classified.length > 0 ? right.length / classified.length : null,
      channelUses: mean(onAir.map(({ channelUses }) => channelUses)),
      payloadBytes: mean(onAir.map(({ payloadBytes }) => payloadBytes)),
      snrDb: onAir.at(-1)?.snrDb ?? null,
      latencyMedianSeconds: quantile(latencies, 0.5),
      latencyP95Seconds: quantile(latencies, 0.95),
    };
  }

  #forget(oldest: number): void {
    this.#window.splice(0, oldest);
    this.#times.splice(0, oldest);
  }
}

function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

/** The least value that at least a share q of the values does not exceed. */
function quantile(sorted: readonly number[], q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}
