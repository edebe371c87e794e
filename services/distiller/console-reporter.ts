import type { WriteStream } from 'node:tty';
import { lookText } from './looks.js';
import type { EpochRecord } from './record.js';
import type { TrainingReporter } from './train.js';

/** Least time between two updates of the progress line, ms. */
const UPDATE_MS = 500;

/** Tells of a training run on a terminal, or line by line where there is none. */
export class ConsoleReporter implements TrainingReporter {
  readonly #out: WriteStream;
  #lastUpdate = 0;
  #open = false;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  say(sentence: string): void {
    this.#clear();
    if (sentence) this.#out.write(`${sentence}\n`);
  }

  progress(text: string): void {
    const now = performance.now();
    if (!this.#out.isTTY || now - this.#lastUpdate < UPDATE_MS) return;
    this.#lastUpdate = now;
    this.#out.write(`\r\x1b[K${text}`);
    this.#open = true;
  }

  epoch(record: EpochRecord, secondsLeft: number): void {
    this.say(
      [
        `epoch ${String(record.epoch).padStart(3)}`,
        `loss ${record.loss.task.toFixed(3)}`,
        `train ${(100 * record.accuracy).toFixed(1)} %`,
        `${record.imagesPerSecond.toFixed(0)} images/s`,
        `${duration(secondsLeft)} left`,
        ...(record.holdout ? [`held-out: ${lookText(record.holdout)}`] : []),
      ].join('  '),
    );
  }

  #clear(): void {
    if (this.#open) this.#out.write('\r\x1b[K');
    this.#open = false;
  }
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
