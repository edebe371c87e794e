import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readSafetensors, writeSafetensors } from '../../shared/tensor/safetensors.js';
import type { DistillerConfig } from './config.js';
import type { OptimizerState } from './optimizer.js';

/** Where a run stands: all randomness follows from (seed, step), so this is enough to go on to the same result. */
export interface Checkpoint {
  optimizer: OptimizerState;
  /** Seconds trained so far, over all sittings. */
  seconds: number;
}

/** Options that change the result; where and under what name it is written do not. */
export function optionsHash(config: DistillerConfig): string {
  const { name: _n, models: _m, work: _w, fresh: _f, ...relevant } = config;
  return createHash('sha256').update(JSON.stringify(relevant)).digest('hex').slice(0, 16);
}

const VECTORS = ['weights', 'average', 'first', 'second'] as const;

/** Reads and writes the one checkpoint of a run. */
export class CheckpointFile {
  readonly #file: string;
  readonly #hash: string;

  constructor(folder: string, config: DistillerConfig) {
    this.#file = path.join(folder, 'checkpoint.safetensors');
    this.#hash = optionsHash(config);
  }

  /** Written beside the old one and renamed over it, so that one whole checkpoint always exists. */
  async write(checkpoint: Checkpoint): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true });
    const { optimizer, seconds } = checkpoint;
    const vector = (data: Float32Array) => ({ shape: [data.length], data });
    const bytes = writeSafetensors(new Map(VECTORS.map((name) => [name, vector(optimizer[name])])), {
      options: this.#hash,
      step: String(optimizer.step),
      seconds: String(seconds),
    });
    await writeFile(`${this.#file}.new`, bytes);
    await rename(`${this.#file}.new`, this.#file);
  }

  /**
   * @returns undefined when there is none
   * @throws Error when it is of a run with other options, or damaged
   */
  async read(): Promise<Checkpoint | undefined> {
    const bytes = await readFile(this.#file).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw new Error(`the checkpoint ${this.#file} cannot be read: ${cause.message}`, { cause });
    });
    if (!bytes) return undefined;
    const damaged = (what: string, cause?: unknown) =>
      new Error(`${this.#file} is damaged (${what}); use --fresh to begin anew`, { cause });
    let content: ReturnType<typeof readSafetensors>;
    try {
      content = readSafetensors(bytes);
    } catch (cause) {
      throw damaged((cause as Error).message, cause);
    }
    const { tensors, metadata } = content;
    if (metadata.options !== this.#hash) {
      throw new Error(
        `${this.#file} is of a run with other options; give those, another --work folder, or --fresh to begin anew`,
      );
    }
    const vectors = VECTORS.map((name) => [name, tensors.get(name)?.data] as const);
    const missing = vectors.find(([, data]) => !data);
    if (missing) throw damaged(`it has no "${missing[0]}"`);
    const [step, seconds] = [Number(metadata.step), Number(metadata.seconds)];
    if (!Number.isSafeInteger(step) || step < 0) throw damaged(`its step is "${metadata.step}"`);
    if (!Number.isFinite(seconds)) throw damaged(`its seconds are "${metadata.seconds}"`);
    const state = Object.fromEntries(vectors) as Record<(typeof VECTORS)[number], Float32Array>;
    return { optimizer: { step, ...state }, seconds };
  }

  async remove(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}
