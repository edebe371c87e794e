import { BATCH_NORM_EPSILON } from './batch-norm.js';
import type { GradientGraph, Value } from './gradient-graph.js';
import type { GradientOps } from './gradient-ops.js';
import { DataType } from './saved-model.js';

/** Number format in which convolutions multiply; they add up in float32 either way. */
export type Precision = 'float32' | 'bfloat16';

const FLOAT = { type: DataType.float32 } as const;

/**
 * 2-D convolution, SAME padding, NHWC, float32 in and out. In bfloat16 (8 bits of mantissa, the exponents of float32) it
 * takes about half the time on a processor with instructions for it (AVX512-BF16, AMX) or on a GPU, and longer on others.
 *
 * @param x [N, H, W, C]
 * @param kernel [k, k, C, F]
 */
export function convolution(ops: GradientOps, x: Value, kernel: Value, stride: number, precision: Precision): Value {
  const { graph } = ops;
  const [n, h, w] = x.shape as [number, number, number, number];
  const filters = kernel.shape[3]!;
  const type = DataType[precision];
  const attributes = {
    T: { type },
    strides: { ints: [1, stride, stride, 1] },
    dilations: { ints: [1, 1, 1, 1] },
    padding: { string: 'SAME' },
    data_format: { string: 'NHWC' },
  };
  const narrow = (v: Value) => (precision === 'float32' ? v : ops.cast(v, DataType.float32, type));
  const wide = (v: Value) => (precision === 'float32' ? v : ops.cast(v, type, DataType.float32));
  const [input, weights] = [narrow(x), narrow(kernel)];
  const shape = [n, Math.ceil(h / stride), Math.ceil(w / stride), filters];
  const product = wide(graph.node('Conv2D', [input, weights], shape, { attributes }));
  return graph.differentiable(product, [x, kernel], (slope) => {
    const dy = narrow(slope);
    const back = (op: string, inputs: Value[], of: readonly number[]) =>
      wide(graph.node(op, inputs, of, { attributes }));
    return [
      back('Conv2DBackpropInput', [graph.ints(...x.shape), weights, dy], x.shape),
      back('Conv2DBackpropFilter', [input, graph.ints(...kernel.shape), dy], kernel.shape),
    ];
  });
}

/** A normalised value and the statistics of its batch: mean, and variance without bias, [C] each. */
export interface Normalised {
  readonly y: Value;
  readonly mean: Value;
  readonly variance: Value;
}

/** Batch normalisation of x [N, H, W, C] with the batch's own statistics; scale and offset are [C]. */
export function batchNorm(graph: GradientGraph, x: Value, scale: Value, offset: Value): Normalised {
  const channels = scale.shape;
  const attributes = {
    T: FLOAT,
    U: FLOAT,
    epsilon: { float: BATCH_NORM_EPSILON },
    data_format: { string: 'NHWC' },
    is_training: { bool: true },
  };
  const none = graph.constant([0], new Float32Array());
  const y: Value = graph.node('FusedBatchNormV3', [x, scale, offset, none, none], x.shape, {
    attributes: { ...attributes, exponential_avg_factor: { float: 1 } },
    slopes: (dy) => {
      const saved = [3, 4, 5].map((index) => graph.output(y, index, channels));
      const dx = graph.node('FusedBatchNormGradV3', [dy, x, scale, ...saved], x.shape, { attributes });
      return [dx, graph.output(dx, 1, channels), graph.output(dx, 2, channels), none, none];
    },
  });
  return { y, mean: graph.output(y, 1, channels), variance: graph.output(y, 2, channels) };
}

/** x W + b: x [N, inputs], W [inputs, units], b [units]. */
export function dense(graph: GradientGraph, x: Value, kernel: Value, bias: Value): Value {
  const multiply = (a: Value, b: Value, shape: readonly number[], turned: 'none' | 'first' | 'second'): Value =>
    graph.node('MatMul', [a, b], shape, {
      attributes: {
        T: FLOAT,
        transpose_a: { bool: turned === 'first' },
        transpose_b: { bool: turned === 'second' },
      },
    });
  const shape = [x.shape[0]!, kernel.shape[1]!];
  const product = graph.differentiable(multiply(x, kernel, shape, 'none'), [x, kernel], (dy) => [
    multiply(dy, kernel, x.shape, 'second'),
    multiply(x, dy, kernel.shape, 'first'),
  ]);
  // Not a BiasAdd: TensorFlow 2.18's graph optimiser takes relu(x W + b + y) for one of its convolutions and fails.
  const each = graph.node('BroadcastTo', [bias, graph.ints(...shape)], shape, {
    attributes: { T: FLOAT, Tidx: { type: DataType.int32 } },
    slopes: (dy) => [
      graph.node('BiasAddGrad', [dy], bias.shape, { attributes: { T: FLOAT, data_format: { string: 'NHWC' } } }),
    ],
  });
  return graph.node('AddV2', [product, each], shape, { slopes: (dy) => [dy, dy] });
}

/** Mean over N of -sum p log softmax(scores), scalar, nats: p and scores [N, classes]. */
export function crossEntropy(ops: GradientOps, p: Value, scores: Value): Value {
  const { graph } = ops;
  const n = scores.shape[0]!;
  const each: Value = graph.node('SoftmaxCrossEntropyWithLogits', [scores, p], [n], {
    slopes: (dy) => [ops.mul(graph.output(each, 1, scores.shape), ops.reshape(dy, [n, 1])), p],
  });
  return ops.mean(each, [0]);
}
