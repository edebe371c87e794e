import type { NetworkOps } from '../../shared/codec/network.js';
import type { Value } from '../../shared/tensor/gradient-graph.js';
import { batchNorm, convolution, dense, type Precision } from '../../shared/tensor/gradient-layers.js';
import type { GradientOps } from '../../shared/tensor/gradient-ops.js';
import type { Parameters } from './parameters.js';

/** Statistics of a normalised layer's batch, [filters] each. */
export interface LayerStatistics {
  layer: string;
  mean: Value;
  variance: Value;
}

/** Interprets the codec's networks for training: into a graph with gradients, batch statistics, fused kernels. */
export class TrainingOps implements NetworkOps<Value> {
  /** Of every normalised layer so far, so that the served network can be folded with their means. */
  readonly statistics: LayerStatistics[] = [];
  readonly #ops: GradientOps;
  readonly #parameters: Parameters;
  readonly #precision: Precision;

  constructor(ops: GradientOps, parameters: Parameters, precision: Precision) {
    this.#ops = ops;
    this.#parameters = parameters;
    this.#precision = precision;
  }

  convNorm(x: Value, name: string, s: { filters: number; kernel: number; stride: number }): Value {
    const inputs = x.shape[3]!;
    const shape = [s.kernel, s.kernel, inputs, s.filters];
    const deviation = Math.sqrt(2 / (s.kernel * s.kernel * inputs)); // He et al., arXiv 1502.01852
    const kernel = this.#parameters.get(`${name}/kernel`, shape, { mean: 0, deviation, decay: true });
    const scale = this.#parameters.get(`${name}/scale`, [s.filters], { mean: 1, deviation: 0, decay: false });
    const offset = this.#parameters.get(`${name}/offset`, [s.filters], { mean: 0, deviation: 0, decay: false });
    const product = convolution(this.#ops, x, kernel, s.stride, this.#precision);
    const { y, mean, variance } = batchNorm(this.#ops.graph, product, scale, offset);
    this.statistics.push({ layer: name, mean, variance });
    return y;
  }

  dense(x: Value, name: string, units: number, initial: { gain?: number; bias?: number } = {}): Value {
    const inputs = x.shape[1]!;
    const deviation = (initial.gain ?? 1) * Math.sqrt(1 / inputs);
    const kernel = this.#parameters.get(`${name}/kernel`, [inputs, units], { mean: 0, deviation, decay: true });
    const bias = this.#parameters.get(`${name}/bias`, [units], {
      mean: initial.bias ?? 0,
      deviation: 0,
      decay: false,
    });
    return dense(this.#ops.graph, x, kernel, bias);
  }

  relu = (x: Value) => this.#ops.relu(x);
  sigmoid = (x: Value) => this.#ops.sigmoid(x);
  add = (a: Value, b: Value) => this.#ops.add(a, b);
  mul = (a: Value, b: Value) => this.#ops.mul(a, b);
  affine = (x: Value, a: number, b: number) => this.#ops.affine(x, a, b);
  clip = (x: Value, low: number, high: number) => this.#ops.clip(x, low, high);
  log = (x: Value) => this.#ops.log(x);
  sqrt = (x: Value) => this.#ops.sqrt(x);
  rsqrt = (x: Value) => this.#ops.rsqrt(x);
  sum = (x: Value, axes: number[]) => this.#ops.sum(x, axes, true);
  concat = (xs: Value[]) => this.#ops.concat(xs, 1);
  reshape = (x: Value, shape: number[]) => this.#ops.reshape(x, [x.shape[0]!, ...shape]);
  globalAverage = (x: Value) => this.#ops.mean(x, [1, 2]);
  prefixMask = (count: Value, length: number) => this.#ops.prefixMask(count, length);
}
