import type { Tensor, Tensor1D } from '@tensorflow/tfjs-node-gpu';
import type { Tf } from '../../shared/tensor/native.js';

/** What an optimiser needs to go on exactly where it stopped. */
export interface OptimizerState {
  step: number;
  weights: Float32Array;
  average: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) over one vector of weights, and an
 * exponential moving average of the weights, which is what gets published.
 */
export class AdamW {
  readonly #tf: Tf;
  readonly #decayMask: Tensor1D;
  readonly #options: { beta1: number; beta2: number; epsilon: number; weightDecay: number; averageDecay: number };
  #step: number;
  #weights: Tensor;
  #average: Tensor;
  #first: Tensor;
  #second: Tensor;

  constructor(
    tf: Tf,
    start: Float32Array | OptimizerState,
    decayMask: Tensor1D,
    options: { weightDecay: number; averageDecay: number },
  ) {
    this.#tf = tf;
    this.#decayMask = decayMask;
    this.#options = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, ...options };
    const state = start instanceof Float32Array ? undefined : start;
    const weights = start instanceof Float32Array ? start : start.weights;
    const vector = (values: Float32Array | undefined) =>
      values ? tf.tensor1d(values) : tf.zeros([weights.length], 'float32');
    this.#step = state?.step ?? 0;
    this.#weights = tf.tensor1d(weights);
    this.#average = tf.tensor1d(state?.average ?? weights);
    this.#first = vector(state?.first);
    this.#second = vector(state?.second);
  }

  /** Steps taken. */
  get step(): number {
    return this.#step;
  }

  /** Current weights; owned by the optimiser. */
  get weights(): Tensor {
    return this.#weights;
  }

  /** Moving average of the weights; owned by the optimiser. */
  get average(): Tensor {
    return this.#average;
  }

  /** One step along `gradient` (same length as the weights). */
  apply(gradient: Tensor, learningRate: number): void {
    const tf = this.#tf;
    const { beta1, beta2, epsilon, weightDecay, averageDecay } = this.#options;
    this.#step += 1;
    const correct1 = 1 - beta1 ** this.#step;
    const correct2 = 1 - beta2 ** this.#step;
    // The average follows a young run faster, so that its first epochs can be judged.
    const keep = Math.min(averageDecay, this.#step / (this.#step + 10));
    const [first, second, weights, average] = tf.tidy(() => {
      const m = tf.add(tf.mul(this.#first, beta1), tf.mul(gradient, 1 - beta1));
      const v = tf.add(tf.mul(this.#second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const direction = tf.div(tf.mul(m, 1 / correct1), tf.add(tf.sqrt(tf.mul(v, 1 / correct2)), epsilon));
      const decay = tf.mul(tf.mul(this.#weights, this.#decayMask), weightDecay);
      const w = tf.sub(this.#weights, tf.mul(tf.add(direction, decay), learningRate));
      return [m, v, w, tf.add(tf.mul(this.#average, keep), tf.mul(w, 1 - keep))] as [Tensor, Tensor, Tensor, Tensor];
    });
    tf.dispose([this.#first, this.#second, this.#weights, this.#average]);
    this.#first = first;
    this.#second = second;
    this.#weights = weights;
    this.#average = average;
  }

  state(): OptimizerState {
    const values = (t: Tensor) => t.dataSync<'float32'>();
    return {
      step: this.#step,
      weights: values(this.#weights),
      average: values(this.#average),
      first: values(this.#first),
      second: values(this.#second),
    };
  }
}

/** Learning rate of step `step` of `steps`: linear rise over the first part, then a cosine to almost nothing. */
export function learningRateAt(step: number, steps: number, peak: number, rise: number): number {
  const at = (step + 1) / steps;
  if (at < rise) return (peak * at) / rise;
  return peak * (0.002 + 0.998 * 0.5 * (1 + Math.cos((Math.PI * (at - rise)) / (1 - rise))));
}
