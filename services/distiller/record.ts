import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** One line of the training record. */
export interface EpochRecord {
  epoch: number;
  step: number;
  /** Means over the epoch, nats. */
  loss: { task: number; auxiliary: number; teacher: number };
  /** Semantic information rate, bits an image, mean over the epoch; 0 where it was not watched (groups of one). */
  semanticBits: number;
  /** Share of training images answered right, over the whole range of channels. */
  accuracy: number;
  imagesPerSecond: number;
  learningRate: number;
  /** Accuracy on held-out images at a few points, by name, when measured. */
  holdout?: Record<string, number>;
}

/** The training record, JSON lines, beside the checkpoint. */
export class TrainingRecord {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = path.join(folder, 'training.jsonl');
  }

  /** Drops lines of steps after `step`: they will be done again; and one that a killed process left unfinished. */
  async truncate(step: number): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    // What stands behind the last line end was cut off while it was written.
    const lines = text.split('\n').slice(0, -1);
    const kept = lines.filter((line) => (JSON.parse(line) as EpochRecord).step <= step);
    await mkdir(path.dirname(this.#file), { recursive: true });
    await writeFile(this.#file, kept.map((line) => `${line}\n`).join(''));
  }

  async append(record: EpochRecord): Promise<void> {
    await appendFile(this.#file, `${JSON.stringify(record)}\n`);
  }
}
