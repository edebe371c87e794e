import type { Tensor, Tensor1D } from '@tensorflow/tfjs-node-gpu';
import type { FusedOps } from '../../shared/tensor/fused.js';
import type { Tf } from '../../shared/tensor/native.js';

/** How a parameter starts: normal with standard deviation `deviation` around `mean`. */
export interface Initial {
  mean: number;
  deviation: number;
  /** Whether weight decay applies: to weights, not to biases and scales. */
  decay: boolean;
}

interface Entry extends Initial {
  name: string;
  shape: number[];
  size: number;
}

/**
 * All trained numbers of a model as one vector, in order of first use, with a tensor view of each.
 *
 * One vector makes the optimiser, the moving average and a checkpoint a few operations instead of hundreds.
 */
export class Parameters {
  readonly entries: Entry[] = [];
  readonly #byName = new Map<string, Tensor>();
  readonly #tf: Tf;
  readonly #fused: FusedOps;
  readonly #seed: number;

  constructor(tf: Tf, fused: FusedOps, seed: number) {
    this.#tf = tf;
    this.#fused = fused;
    this.#seed = seed;
  }

  /** The parameter's tensor; made on first use, its value a function of the seed and of how many came before. */
  get(name: string, shape: number[], initial: Initial): Tensor {
    const known = this.#byName.get(name);
    if (known) return known;
    const size = shape.reduce((a, b) => a * b, 1);
    const value = this.#tf.tidy(() => {
      const noise = this.#fused.statelessNormal(shape, this.#seed, this.entries.length);
      return this.#tf.keep(this.#tf.add(this.#tf.mul(noise, initial.deviation), initial.mean));
    });
    this.entries.push({ name, shape, size, ...initial });
    this.#byName.set(name, value);
    return value;
  }

  /** Current tensors in order. */
  tensors(): Tensor[] {
    return this.entries.map((entry) => this.#byName.get(entry.name)!);
  }

  /** Replaces the tensors with others of the same shapes, without disposing of either. */
  use(tensors: Tensor[]): void {
    this.entries.forEach((entry, i) => {
      this.#byName.set(entry.name, tensors[i]!);
    });
  }

  /** One vector of all of them, a new tensor. */
  flatten(tensors: Tensor[]): Tensor1D {
    return this.#tf.tidy(() => this.#tf.concat1d(tensors.map((t) => t.reshape([-1]) as Tensor1D)));
  }

  /** The tensors of a vector, new ones, kept. */
  unflatten(flat: Tensor): Tensor[] {
    return this.#tf.tidy(() =>
      this.#tf
        .split(
          flat,
          this.entries.map((entry) => entry.size),
        )
        .map((part, i) => this.#tf.keep(part.reshape(this.entries[i]!.shape))),
    );
  }

  /** 1 where weight decay applies, else 0. */
  decayMask(): Tensor1D {
    const mask = new Float32Array(this.entries.reduce((sum, entry) => sum + entry.size, 0));
    let at = 0;
    for (const entry of this.entries) {
      if (entry.decay) mask.fill(1, at, at + entry.size);
      at += entry.size;
    }
    return this.#tf.tensor1d(mask);
  }
}
