import { readFile } from 'node:fs/promises';
import { invalidArgument } from '../../shared/rpc/errors.js';
import { type ModelWeights, modelOfLink, parseModelWeights } from './model-weights.js';

export interface ModelChoiceOptions {
  /** Versions that are loaded. */
  versions: readonly string[];
  /** For links that no weight decides on. */
  defaultVersion: string;
  /** Hears what the weights have become, and why a file was not taken. */
  say: (sentence: string, problem: boolean) => void;
}

/** How often a file of weights is looked at, ms. */
const LOOK_MS = 1_000;

/** Which model a link gets that names none; changes while the service runs. */
export class ModelChoice {
  readonly #options: ModelChoiceOptions;
  #weights: ModelWeights = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ModelChoiceOptions) {
    this.#options = options;
  }

  /** Version for a link that names none. */
  of(linkId: string): string {
    return modelOfLink(linkId, this.#weights) ?? this.#options.defaultVersion;
  }

  /** Share of the links that name no model which get this version, 0 to 1. */
  shareOf(version: string): number {
    if (this.#weights.size === 0) return version === this.#options.defaultVersion ? 1 : 0;
    const all = [...this.#weights.values()].reduce((sum, weight) => sum + weight, 0);
    return (this.#weights.get(version) ?? 0) / all;
  }

  /**
   * @param text see `parseModelWeights`
   * @throws SemlinkError INVALID_ARGUMENT when it cannot be read or names a model that is not loaded; nothing changes then
   */
  set(text: string): void {
    const weights = parseModelWeights(text);
    const { versions } = this.#options;
    const unknown = [...weights.keys()].find((version) => !versions.includes(version));
    if (unknown !== undefined) {
      throw invalidArgument('model weight', unknown, `no such model here; there are ${versions.join(', ')}`);
    }
    this.#weights = weights;
  }

  /**
   * Takes the weights of a file, and again whenever it changes: a new text that is no good is said once, and the weights
   * stay as they were.
   *
   * Reads instead of watching, for a volume of Kubernetes changes by a link that is swapped, which no watch of the file
   * sees.
   *
   * @throws Error when the file cannot be read now, SemlinkError when it is no good
   */
  async follow(file: string): Promise<void> {
    let known = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new Error(`the weights of models cannot be read from ${file}`, { cause });
    });
    this.set(known);
    const look = async (): Promise<void> => {
      const text = await readFile(file, 'utf8').catch(() => known);
      if (text === known) return;
      known = text;
      try {
        this.set(text);
        this.#options.say(`weights of models: ${this.#sentence()}`, false);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#options.say(`${file} is not taken, the weights stay ${this.#sentence()}: ${why}`, true);
      }
    };
    const again = (): void => {
      this.#timer = setTimeout(() => {
        void look().then(() => {
          if (this.#timer) again();
        });
      }, LOOK_MS).unref();
    };
    again();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #sentence(): string {
    const texts = [...this.#weights].map(([version, weight]) => `${version}=${weight}`);
    return texts.join(', ') || `none (${this.#options.defaultVersion} takes every link)`;
  }
}
