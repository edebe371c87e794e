import type { Tensor, Tensor4D } from '@tensorflow/tfjs-node-gpu';
import { describe, expect, it } from 'vitest';
import { type Convolutions, convolutions, type Precision } from './convolution.js';
import { fusedOps } from './fused.js';
import { loadTensorFlow } from './native.js';

const tf = loadTensorFlow();
const fused = fusedOps(tf);

const x = fused.statelessNormal([2, 7, 6, 5], 1, 0) as Tensor4D;
const kernel = fused.statelessNormal([3, 3, 5, 4], 1, 1) as Tensor4D;

/** Value and gradients of a sum over the convolution's output, weighted so that no two of its elements count alike. */
function differentiate(convolve: (x: Tensor4D, kernel: Tensor4D) => Tensor): number[][] {
  return tf.tidy(() => {
    const shape = convolve(x, kernel).shape;
    const weights = fused.statelessNormal(shape, 1, 2);
    const weighed = (a: Tensor, b: Tensor) =>
      tf.sum(tf.mul(convolve(a as Tensor4D, b as Tensor4D), weights)).asScalar();
    const gradients = tf.grads(weighed as never)([x, kernel]) as Tensor[];
    return [convolve(x, kernel), ...gradients].map((t) => [...t.dataSync()]);
  });
}

/** Largest difference as a share of the largest value. */
function difference(got: number[], expected: number[]): number {
  const scale = Math.max(...expected.map(Math.abs));
  expect(got).toHaveLength(expected.length);
  return Math.max(...got.map((value, i) => Math.abs(value - expected[i]!))) / scale;
}

describe.each<[Precision, number, number]>([
  ['float32', 0, 1e-5],
  // 8 bits of mantissa: an operand is off by up to 1/512, and some do not cancel out.
  ['bfloat16', 1e-4, 1e-2],
])('convolutions in %s', (precision, atLeast, atMost) => {
  const ours: Convolutions = convolutions(tf, precision);

  it.each([1, 2])('of stride %i have the value and both gradients of TensorFlow.js', (stride) => {
    const expected = differentiate((a, b) => tf.conv2d(a, b, stride, 'same'));
    const got = differentiate((a, b) => ours.ofVariable(a, b, stride));
    for (const i of expected.keys()) {
      expect(difference(got[i]!, expected[i]!)).toBeLessThan(atMost);
      expect(difference(got[i]!, expected[i]!)).toBeGreaterThanOrEqual(atLeast);
    }
  });

  it('of a constant differ in nothing but the gradient they spare', () => {
    const [value, , slope] = differentiate((a, b) => ours.ofVariable(a, b, 2));
    const alone = tf.tidy(() => {
      const weights = fused.statelessNormal(ours.ofConstant(x, kernel, 2).shape, 1, 2);
      const gradient = tf.grad((b) => tf.sum(tf.mul(ours.ofConstant(x, b as Tensor4D, 2), weights)))(kernel);
      return [ours.ofConstant(x, kernel, 2), gradient].map((t) => [...t.dataSync()]);
    });
    expect(alone).toEqual([value, slope]);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    differentiate((a, b) => ours.ofVariable(a, b, 1));
    expect(tf.memory().numTensors).toBe(before);
  });
});
