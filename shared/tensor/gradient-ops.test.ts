process.env.TF_NUM_INTRAOP_THREADS = '1';

import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededUniform } from '../codec/small-model.fixture.js';
import { evaluated } from './evaluated-graph.fixture.js';
import { GradientGraph, type Value } from './gradient-graph.js';
import { batchNorm, convolution, crossEntropy, dense } from './gradient-layers.js';
import { GradientOps } from './gradient-ops.js';
import { loadTensorFlow } from './native.js';

const tf = loadTensorFlow();
const EPSILON = 1e-3;

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

/** Away from 0, of both signs where wanted. */
function input(shape: number[], seed: number, positive = false) {
  const uniform = seededUniform(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return {
    shape,
    data: Float32Array.from({ length: size }, () => (0.2 + uniform()) * (positive || uniform() < 0.5 ? 1 : -1)),
  };
}

interface Case {
  name: string;
  shapes: number[][];
  positive?: boolean;
  graph: (ops: GradientOps, x: Value[]) => Value;
  eager: (x: Tensor[]) => Tensor;
  tolerance?: number;
}

const normalised = (x: Tensor, scale: Tensor, offset: Tensor) => {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, EPSILON))), scale), offset);
};
const conv = (x: Tensor[], stride: number) => tf.conv2d(x[0] as never, x[1] as never, stride, 'same') as Tensor;

const cases: Case[] = [
  {
    name: 'add',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    graph: (o, [a, b]) => o.add(a!, b!),
    eager: ([a, b]) => tf.add(a!, b!),
  },
  {
    name: 'add of what is broadcast',
    shapes: [
      [3, 1, 2],
      [4, 1],
    ],
    graph: (o, [a, b]) => o.add(a!, b!),
    eager: ([a, b]) => tf.add(a!, b!),
  },
  {
    name: 'mul of what is broadcast, both ways',
    shapes: [
      [3, 1, 2],
      [4, 1],
    ],
    graph: (o, [a, b]) => o.mul(a!, b!),
    eager: ([a, b]) => tf.mul(a!, b!),
  },
  { name: 'mul with itself', shapes: [[5]], graph: (o, [a]) => o.mul(a!, a!), eager: ([a]) => tf.square(a!) },
  {
    name: 'a value used three times',
    shapes: [[4]],
    graph: (o, [a]) => o.add(o.mul(a!, a!), o.add(a!, o.sigmoid(a!))),
    eager: ([a]) => tf.add(tf.square(a!), tf.add(a!, tf.sigmoid(a!))),
  },
  {
    name: 'affine',
    shapes: [[3, 2]],
    graph: (o, [a]) => o.affine(a!, -2, 3),
    eager: ([a]) => tf.add(tf.mul(a!, -2), 3),
  },
  { name: 'relu', shapes: [[3, 7]], graph: (o, [a]) => o.relu(a!), eager: ([a]) => tf.relu(a!) },
  { name: 'sigmoid', shapes: [[3, 7]], graph: (o, [a]) => o.sigmoid(a!), eager: ([a]) => tf.sigmoid(a!) },
  { name: 'log', shapes: [[6]], positive: true, graph: (o, [a]) => o.log(a!), eager: ([a]) => tf.log(a!) },
  { name: 'log1p', shapes: [[6]], positive: true, graph: (o, [a]) => o.log1p(a!), eager: ([a]) => tf.log1p(a!) },
  { name: 'sqrt', shapes: [[6]], positive: true, graph: (o, [a]) => o.sqrt(a!), eager: ([a]) => tf.sqrt(a!) },
  { name: 'rsqrt', shapes: [[6]], positive: true, graph: (o, [a]) => o.rsqrt(a!), eager: ([a]) => tf.rsqrt(a!) },
  {
    name: 'sum, axes kept',
    shapes: [[2, 3, 4]],
    graph: (o, [a]) => o.mul(o.sum(a!, [0, 2], true), a!),
    eager: ([a]) => tf.mul(tf.sum(a!, [0, 2], true), a!),
  },
  {
    name: 'mean',
    shapes: [[2, 3, 4, 5]],
    graph: (o, [a]) => o.mean(a!, [1, 2]),
    eager: ([a]) => tf.mean(a!, [1, 2]),
  },
  {
    name: 'reshape',
    shapes: [[2, 6]],
    graph: (o, [a]) => o.sum(o.reshape(a!, [3, 4]), [0]),
    eager: ([a]) => tf.sum(a!.reshape([3, 4]), 0),
  },
  {
    name: 'concat',
    shapes: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    graph: (o, xs) => o.concat(xs, 1),
    eager: (xs) => tf.concat(xs, 1),
  },
  { name: 'tile', shapes: [[2, 3]], graph: (o, [a]) => o.tile(a!, 3), eager: ([a]) => tf.tile(a!, [3, 1]) },
  ...[1, 2].map((stride) => ({
    name: `convolution of stride ${stride} on an odd size`,
    shapes: [
      [2, 5, 7, 3],
      [3, 3, 3, 4],
    ],
    graph: (o: GradientOps, [x, k]: Value[]) => convolution(o, x!, k!, stride, 'float32'),
    eager: (x: Tensor[]) => conv(x, stride),
  })),
  {
    name: 'convolution in bfloat16',
    shapes: [
      [2, 6, 6, 3],
      [4, 4, 3, 4],
    ],
    graph: (o, [x, k]) => convolution(o, x!, k!, 2, 'bfloat16'),
    eager: (x) => conv(x, 2),
    tolerance: 0.15,
  },
  {
    name: 'batch normalisation',
    shapes: [[3, 4, 5, 6], [6], [6]],
    graph: (o, [x, s, b]) => batchNorm(o.graph, x!, s!, b!).y,
    eager: ([x, s, b]) => normalised(x!, s!, b!),
  },
  {
    name: 'dense',
    shapes: [[3, 5], [5, 4], [4]],
    graph: (o, [x, w, b]) => dense(o.graph, x!, w!, b!),
    eager: ([x, w, b]) => tf.add(tf.matMul(x as never, w as never), b!),
  },
  {
    name: 'cross-entropy',
    shapes: [[4, 3]],
    graph: (o, [x]) => crossEntropy(o, o.graph.constant([4, 3], TARGET), x!),
    eager: ([x]) => tf.neg(tf.mean(tf.sum(tf.mul(tf.tensor2d(TARGET, [4, 3]), tf.logSoftmax(x!)), 1))),
  },
];
const TARGET = Float32Array.of(1, 0, 0, 0.2, 0.3, 0.5, 0, 0, 1, 0.1, 0.1, 0.8);

describe('operations of a graph with gradients', () => {
  it.each(cases)(
    '$name: value and gradients are those of TensorFlow.js',
    ({ shapes, positive, graph, eager, ...c }) => {
      const inputs = shapes.map((shape, i) => input(shape, i + 1, positive));
      const tensors = inputs.map(({ shape, data }) => tf.tensor(data, shape));
      const expected = eager(tensors);
      const slope = input([expected.size], 9).data;
      const { values, gradients } = evaluated(inputs, (ops, x) => [graph(ops, x)], slope);
      const slopes = tf.grads((...x) => eager(x as unknown as Tensor[]))(tensors, tf.tensor(slope, expected.shape));
      const close = (got: Float32Array, wanted: Tensor) => {
        const data = wanted.dataSync();
        expect(got).toHaveLength(data.length);
        got.forEach((value, i) => {
          expect(Math.abs(value - data[i]!)).toBeLessThan(c.tolerance ?? 1e-4);
        });
      };
      close(values[0]!, expected);
      expect(gradients).toHaveLength(slopes.length);
      gradients.forEach((gradient, i) => {
        close(gradient, slopes[i]!);
        expect(gradient.some((v) => Math.abs(v) > 0.01)).toBe(true);
      });
    },
  );

  it('tell the mean and the unbiased variance of a normalised batch', () => {
    const inputs = [input([3, 4, 5, 2], 1), input([2], 2), input([2], 3)];
    const { values } = evaluated(inputs, ({ graph }, [x, s, b]) => {
      const { y, mean, variance } = batchNorm(graph, x!, s!, b!);
      return [y, mean, variance];
    });
    const { mean, variance } = tf.moments(tf.tensor(inputs[0]!.data, inputs[0]!.shape), [0, 1, 2]);
    [...mean.dataSync()].forEach((value, i) => {
      expect(values[1]![i]).toBeCloseTo(value, 5);
      expect(values[2]![i]! / ((variance.dataSync()[i]! * 60) / 59)).toBeCloseTo(1, 4);
    });
  });

  it('mask by a count, and limit what has no gradient', () => {
    const count = { shape: [3, 1], data: Float32Array.of(0, 2, 4) };
    const { values } = evaluated([], (ops) => {
      const given = ops.graph.constant(count.shape, count.data);
      return [ops.prefixMask(given, 4), ops.clip(given, 1, 3)];
    });
    expect([...values[0]!]).toEqual([0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1]);
    expect([...values[1]!]).toEqual([1, 2, 3]);
  });

  it('refuse a gradient where there is none', () => {
    const graph = new GradientGraph();
    const ops = new GradientOps(graph);
    const x = graph.variable('x', [2]);
    expect(() => ops.clip(x, 0, 1)).toThrow('clip has no gradient');
    const loss = ops.sum(ops.relu(x), [0]);
    expect(() => graph.gradient(loss, [graph.variable('y', [2])])).toThrow('does not depend on "y"');
  });
});
