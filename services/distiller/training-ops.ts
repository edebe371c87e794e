import type { Tensor, Tensor4D } from '@tensorflow/tfjs-node-gpu';
import type { NetworkOps } from '../../shared/codec/network.js';
import type { Convolutions } from '../../shared/tensor/convolution.js';
import type { FusedOps } from '../../shared/tensor/fused.js';
import type { Tf } from '../../shared/tensor/native.js';
import type { Parameters } from './parameters.js';

/** Sums of batch statistics by layer, so that the served network can be folded with their means. */
export type StatisticsSink = (layer: string, mean: Tensor, variance: Tensor) => void;

/** Interprets the codec's networks for training: differentiable, batch statistics, fused kernels. */
export class TrainingOps implements NetworkOps<Tensor> {
  readonly #tf: Tf;
  readonly #fused: FusedOps;
  readonly #convolutions: Convolutions;
  readonly #parameters: Parameters;
  /** Values that no parameter went into. */
  readonly #constants = new WeakSet<Tensor>();
  /** Called for each normalised layer of a forward pass, when set. */
  onStatistics: StatisticsSink | undefined;

  constructor(tf: Tf, fused: FusedOps, convolutions: Convolutions, parameters: Parameters) {
    this.#tf = tf;
    this.#fused = fused;
    this.#convolutions = convolutions;
    this.#parameters = parameters;
  }

  /** Says of an input that no gradient is wanted for it. */
  constant(x: Tensor): Tensor {
    this.#constants.add(x);
    return x;
  }

  convNorm(x: Tensor, name: string, s: { filters: number; kernel: number; stride: number }): Tensor {
    const inputs = x.shape[3]!;
    const shape = [s.kernel, s.kernel, inputs, s.filters];
    const deviation = Math.sqrt(2 / (s.kernel * s.kernel * inputs)); // He et al., arXiv 1502.01852
    const kernel = this.#parameters.get(`${name}/kernel`, shape, { mean: 0, deviation, decay: true });
    const scale = this.#parameters.get(`${name}/scale`, [s.filters], { mean: 1, deviation: 0, decay: false });
    const offset = this.#parameters.get(`${name}/offset`, [s.filters], { mean: 0, deviation: 0, decay: false });
    const { ofVariable, ofConstant } = this.#convolutions;
    const y = (this.#constants.has(x) ? ofConstant : ofVariable)(x as Tensor4D, kernel as Tensor4D, s.stride);
    return this.#fused.batchNorm(y, scale, offset, ({ mean, variance }) => this.onStatistics?.(name, mean, variance));
  }

  dense(x: Tensor, name: string, units: number, initial: { gain?: number; bias?: number } = {}): Tensor {
    const inputs = x.shape[1]!;
    const deviation = (initial.gain ?? 1) * Math.sqrt(1 / inputs);
    const kernel = this.#parameters.get(`${name}/kernel`, [inputs, units], { mean: 0, deviation, decay: true });
    const bias = this.#parameters.get(`${name}/bias`, [units], {
      mean: initial.bias ?? 0,
      deviation: 0,
      decay: false,
    });
    return this.#tf.add(this.#tf.matMul(x as never, kernel as never), bias);
  }

  relu = (x: Tensor) => this.#fused.relu(x);
  sigmoid = (x: Tensor) => this.#tf.sigmoid(x);
  add = (a: Tensor, b: Tensor) => this.#tf.add(a, b);
  mul = (a: Tensor, b: Tensor) => this.#tf.mul(a, b);
  affine = (x: Tensor, a: number, b: number) => {
    const y = this.#tf.add(this.#tf.mul(x, a), b);
    return this.#constants.has(x) ? this.constant(y) : y;
  };
  clip = (x: Tensor, low: number, high: number) => this.#tf.clipByValue(x, low, high);
  log = (x: Tensor) => this.#tf.log(x);
  sqrt = (x: Tensor) => this.#tf.sqrt(x);
  rsqrt = (x: Tensor) => this.#tf.rsqrt(x);
  sum = (x: Tensor, axes: number[]) => this.#tf.sum(x, axes, true);
  concat = (xs: Tensor[]) => this.#tf.concat(xs, 1);
  reshape = (x: Tensor, shape: number[]) => this.#tf.reshape(x, [-1, ...shape]);
  globalAverage = (x: Tensor) => this.#tf.mean(x, [1, 2]);
  prefixMask = (count: Tensor, length: number) =>
    this.#tf.cast(this.#tf.less(this.#tf.range(0, length).expandDims(0), count), 'float32');
}
