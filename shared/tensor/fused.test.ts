process.env.TF_NUM_INTRAOP_THREADS = '1';

import type { Tensor, Tensor4D } from '@tensorflow/tfjs-node-gpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BATCH_NORM_EPSILON, fusedOps } from './fused.js';
import { loadTensorFlow } from './native.js';

const tf = loadTensorFlow();
const fused = fusedOps(tf);

function expectClose(got: Tensor, expected: Tensor, tolerance = 1e-4): void {
  expect(got.shape).toEqual(expected.shape);
  const b = expected.dataSync();
  got.dataSync().forEach((value, i) => {
    expect(Math.abs(value - b[i]!)).toBeLessThan(tolerance);
  });
}

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

describe('batchNorm', () => {
  const shape: [number, number, number, number] = [3, 4, 5, 6];
  const make = () => ({
    x: tf.add(tf.mul(fused.statelessNormal(shape, 1, 0), 2), fused.statelessNormal([6], 1, 1)) as Tensor4D,
    scale: tf.add(fused.statelessUniform([6], 1, 2), 0.5),
    offset: fused.statelessNormal([6], 1, 3),
    dy: fused.statelessNormal(shape, 1, 4),
  });
  const quiet = () => {};
  const plain = (x: Tensor, scale: Tensor, offset: Tensor) => {
    const mean = tf.mean(x, [0, 1, 2]);
    const variance = tf.mean(tf.square(tf.sub(x, mean)), [0, 1, 2]);
    const normal = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, BATCH_NORM_EPSILON)));
    return tf.add(tf.mul(normal, scale), offset);
  };

  it('is normalisation by the batch’s own mean and biased variance', () => {
    const { x, scale, offset } = make();
    expectClose(fused.batchNorm(x, scale, offset, quiet), plain(x, scale, offset));
  });

  it('has the gradients of plain operations in x, scale and offset', () => {
    const { x, scale, offset, dy } = make();
    const got = tf.grads((a, s, o) => fused.batchNorm(a as Tensor4D, s!, o!, quiet))([x, scale, offset], dy);
    const expected = tf.grads((a, s, o) => plain(a!, s!, o!))([x, scale, offset], dy);
    expect(got).toHaveLength(3);
    got.forEach((gradient, i) => {
      expectClose(gradient, expected[i]!);
      expect(gradient.abs().max().dataSync()[0]!).toBeGreaterThan(0.1);
    });
  });

  it('has the gradients of finite differences', () => {
    const { x, scale, offset, dy } = make();
    const inputs = [x, scale, offset];
    const loss = (values: Tensor[]) =>
      tf.sum(tf.mul(fused.batchNorm(values[0] as Tensor4D, values[1]!, values[2]!, quiet), dy)).dataSync()[0]!;
    const gradients = tf.grads((a, s, o) => fused.batchNorm(a as Tensor4D, s!, o!, quiet))(inputs, dy);
    const step = 1e-2;
    for (const [which, at] of [
      [0, 0],
      [0, 131],
      [0, 359],
      [1, 0],
      [1, 5],
      [2, 3],
    ] as const) {
      const moved = (by: number) => {
        const data = inputs[which]!.dataSync().slice();
        data[at]! += by;
        return loss(inputs.map((input, i) => (i === which ? tf.tensor(data, input.shape) : input)));
      };
      const slope = (moved(step) - moved(-step)) / (2 * step);
      expect(Math.abs(slope - gradients[which]!.dataSync()[at]!)).toBeLessThan(0.02);
    }
  });

  it('tells the mean and the unbiased variance of the batch, once a forward pass', () => {
    const { x, scale, offset } = make();
    const seen: { mean: Tensor; variance: Tensor }[] = [];
    // They live as long as the call.
    const keep = ({ mean, variance }: { mean: Tensor; variance: Tensor }) =>
      seen.push({ mean: tf.keep(tf.clone(mean)), variance: tf.keep(tf.clone(variance)) });
    fused.batchNorm(x, scale, offset, keep);
    expect(seen).toHaveLength(1);
    const count = 3 * 4 * 5;
    const mean = tf.mean(x, [0, 1, 2]);
    expectClose(seen[0]!.mean, mean);
    expectClose(seen[0]!.variance, tf.div(tf.sum(tf.square(tf.sub(x, mean)), [0, 1, 2]), count - 1));
    seen.length = 0;
    tf.grads((a, s, o) => fused.batchNorm(a as Tensor4D, s!, o!, keep))([x, scale, offset]);
    expect(seen).toHaveLength(1);
  });
});

describe('relu', () => {
  it('keeps what is positive, and so does its gradient', () => {
    const x = tf.tensor1d([-2, -0.5, 0, 0.5, 3]);
    const dy = tf.tensor1d([1, 2, 3, 4, 5]);
    expect([...fused.relu(x).dataSync()]).toEqual([0, 0, 0, 0.5, 3]);
    expect([
      ...tf
        .grad((v) => fused.relu(v))(x, dy)
        .dataSync(),
    ]).toEqual([0, 0, 0, 4, 5]);
  });
});

describe('stateless random numbers', () => {
  const both = [
    ['normal', fused.statelessNormal],
    ['uniform', fused.statelessUniform],
  ] as const;
  const numbers = (draw: typeof fused.statelessNormal, seed: number, counter: number, count = 1000) =>
    draw([count], seed, counter).dataSync<'float32'>();

  it.each(both)('%s: a pure function of seed and counter, another for another of either', (_, draw) => {
    const first = numbers(draw, 5, 7);
    numbers(draw, 1, 1);
    expect(numbers(draw, 5, 7)).toEqual(first);
    const others = [numbers(draw, 5, 8), numbers(draw, 6, 7), numbers(draw, 7, 5), numbers(draw, -5, 7)];
    for (const [i, one] of [first, ...others].entries()) {
      for (const other of [first, ...others].slice(i + 1)) expect(one).not.toEqual(other);
    }
  });

  it('are the same on every machine', () => {
    // Philox of TensorFlow 2.18; a change here changes every training run.
    expect([...numbers(fused.statelessUniform, 1, 0, 4)]).toEqual([
      0.8784881830215454, 0.4599802494049072, 0.6002912521362305, 0.39259767532348633,
    ]);
  });

  it.each(both)('%s: one number of a stream says nothing about the same of the next counter or seed', (_, draw) => {
    const count = 100_000;
    const centre = (values: Float32Array) => {
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return values.map((v) => v - mean);
    };
    const first = centre(numbers(draw, 9, 0, count));
    const power = first.reduce((sum, v) => sum + v * v, 0);
    for (const other of [numbers(draw, 9, 1, count), numbers(draw, 10, 0, count)]) {
      const product = centre(other).reduce((sum, v, i) => sum + v * first[i]!, 0);
      expect(Math.abs(product / power)).toBeLessThan(5 / Math.sqrt(count));
    }
    const lagged = first.subarray(1).reduce((sum, v, i) => sum + v * first[i]!, 0);
    expect(Math.abs(lagged / power)).toBeLessThan(5 / Math.sqrt(count));
  });

  it('have the moments of their distributions', () => {
    const count = 200_000;
    const moment = (values: Float32Array, p: number) => values.reduce((sum, v) => sum + v ** p, 0) / count;
    const normal = numbers(fused.statelessNormal, 3, 3, count);
    [0, 1, 0, 3].forEach((expected, i) => {
      const deviation = Math.sqrt([1, 2, 15, 96][i]! / count);
      expect(Math.abs(moment(normal, i + 1) - expected)).toBeLessThan(5 * deviation);
    });
    const uniform = numbers(fused.statelessUniform, 3, 3, count);
    for (const p of [1, 2, 3]) expect(Math.abs(moment(uniform, p) - 1 / (p + 1))).toBeLessThan(0.004);
    expect(Math.min(...uniform.subarray(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform.subarray(0, 50_000))).toBeLessThan(1);
  });
});
