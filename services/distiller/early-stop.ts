/** The best state of a run so far, by its looks at the held-out images. */
export interface Best {
  /** Mean accuracy over the watched points, 0 to 1. */
  accuracy: number;
  epoch: number;
  /** The moving average of the weights at that look. */
  average: Float32Array;
}

/** Decides by looks at held-out images whether going on is worth it, and keeps the best. */
export class EarlyStop {
  readonly #patience: number;
  #best: Best | undefined;
  #inVain: number;

  /**
   * @param patience looks without a gain after which to stop; 0: never stop, keep nothing
   * @param resume where an earlier sitting stood
   */
  constructor(patience: number, resume?: { best: Best; inVain: number }) {
    this.#patience = patience;
    this.#best = resume?.best;
    this.#inVain = resume?.inVain ?? 0;
  }

  /** Undefined before the first look, or without patience. */
  get best(): Best | undefined {
    return this.#best;
  }

  /** Looks since the best. */
  get inVain(): number {
    return this.#inVain;
  }

  /** Whether the run has gone on in vain long enough. */
  get reached(): boolean {
    return this.#patience > 0 && this.#inVain >= this.#patience;
  }

  /** @param average is read, and copied where it is the best */
  see(epoch: number, accuracies: readonly number[], average: () => Float32Array): void {
    if (this.#patience === 0) return;
    const accuracy = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
    if (this.#best && accuracy <= this.#best.accuracy) {
      this.#inVain++;
      return;
    }
    this.#best = { accuracy, epoch, average: average() };
    this.#inVain = 0;
  }
}
