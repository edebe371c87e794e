import { BATCH_NORM_EPSILON } from '../tensor/batch-norm.js';

/** A named array of numbers. */
export interface WeightTensor {
  shape: number[];
  data: Float32Array;
}

/** All numbers of a trained network by name (`encoder/a/1/kernel`, ...), batch statistics included. */
export type Weights = ReadonlyMap<string, WeightTensor>;

/** @throws Error naming the weight that is missing or has another shape than the network wants */
export function weight(weights: Weights, name: string, shape: number[]): Float32Array {
  const found = weights.get(name);
  if (!found) throw new Error(`weights: "${name}" is missing; the file does not belong to this network`);
  if (found.shape.join() !== shape.join()) {
    throw new Error(`weights: "${name}" has shape [${found.shape}], the network wants [${shape}]`);
  }
  return found.data;
}

/**
 * Batch normalisation folded into the convolution before it: kernel' = kernel g / sqrt(variance + epsilon),
 * bias' = offset - mean g / sqrt(variance + epsilon).
 *
 * @param kernel [kernel, kernel, inputs, filters], last dimension fastest
 */
export function foldNorm(
  kernel: Float32Array,
  norm: { scale: Float32Array; offset: Float32Array; mean: Float32Array; variance: Float32Array },
): { kernel: Float32Array; bias: Float32Array } {
  const filters = norm.scale.length;
  const factor = norm.scale.map((g, i) => g / Math.sqrt(norm.variance[i]! + BATCH_NORM_EPSILON));
  return {
    kernel: kernel.map((value, i) => value * factor[i % filters]!),
    bias: norm.offset.map((offset, i) => offset - norm.mean[i]! * factor[i]!),
  };
}
