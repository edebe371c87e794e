import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isMissing } from '../../shared/config/index.js';
import { readSafetensors, writeSafetensors } from '../../shared/tensor/safetensors.js';
import { type DistillerConfig, optionsOfResult } from './config.js';
import type { Best } from './early-stop.js';
import type { OptimizerState } from './optimizer.js';
import type { StartOrigin } from './start-model.js';
import type { LoadedKnowledge } from './stored-knowledge.js';

/** Where a run stands: all randomness follows from (seed, step), so this is enough to go on to the same result. */
export interface Checkpoint {
  optimizer: OptimizerState;
  /** Seconds trained so far, over all sittings. */
  seconds: number;
  /** The best look so far and how many came after it, where early stopping is on. */
  early?: { best: Best; inVain: number } | undefined;
}

/** What a run learns from beside the images. */
export interface RunOrigins {
  knowledge?: LoadedKnowledge['origin'] | undefined;
  start?: StartOrigin | undefined;
}

/** What changes the result: options, what a teacher said and the model begun from, not where they lie or the result goes. */
export function optionsHash(config: DistillerConfig, { knowledge, start }: RunOrigins = {}): string {
  const { startFrom: _from, ...relevant } = optionsOfResult(config);
  return createHash('sha256')
    .update(JSON.stringify([relevant, knowledge, ...(start ? [start] : [])]))
    .digest('hex')
    .slice(0, 16);
}

const VECTORS = ['weights', 'average', 'first', 'second'] as const;

/** Reads and writes the one checkpoint of a run. */
export class CheckpointFile {
  readonly #file: string;
  readonly #hash: string;

  constructor(folder: string, config: DistillerConfig, origins: RunOrigins = {}) {
    this.#file = path.join(folder, 'checkpoint.safetensors');
    this.#hash = optionsHash(config, origins);
  }

  /** Written beside the old one and renamed over it, so that one whole checkpoint always exists. */
  async write(checkpoint: Checkpoint): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true });
    const { optimizer, seconds, early } = checkpoint;
    const vector = (data: Float32Array) => ({ shape: [data.length], data });
    const vectors = new Map(VECTORS.map((name) => [name as string, vector(optimizer[name])]));
    if (early) vectors.set('best', vector(early.best.average));
    const bytes = writeSafetensors(vectors, {
      options: this.#hash,
      step: String(optimizer.step),
      seconds: String(seconds),
      ...(early && { early: JSON.stringify([early.best.accuracy, early.best.epoch, early.inVain]) }),
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
      if (isMissing(cause)) return undefined;
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
    return { optimizer: { step, ...state }, seconds, ...earlyOf(metadata.early, tensors.get('best')?.data) };
  }

  async remove(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

function earlyOf(text: string | undefined, average: Float32Array | undefined): Pick<Checkpoint, 'early'> {
  if (!text || !average) return {};
  const [accuracy, epoch, inVain] = JSON.parse(text) as [number, number, number];
  return { early: { best: { accuracy, epoch, average }, inVain } };
}
