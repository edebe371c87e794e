/** For tests: the training step in TensorFlow.js's own operations, one after the other, with its own gradient. */
import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import {
  classScores,
  imageFeatures,
  type NetworkOps,
  type NetworkSpec,
  symbolsOf,
} from '../../shared/codec/network.js';
import { BATCH_NORM_EPSILON } from '../../shared/tensor/batch-norm.js';
import { nativeBackend, type Tf } from '../../shared/tensor/native.js';
import type { Batch } from './batches.js';
import type { BatchChannel } from './channel-in-loop.js';
import type { LossOptions } from './loss.js';

type Named = ReadonlyMap<string, { shape: number[]; data: Float32Array }>;

function eagerOps(tf: Tf, weights: ReadonlyMap<string, Tensor>): NetworkOps<Tensor> {
  const of = (name: string) => weights.get(name)!;
  return {
    convNorm: (x, name, { stride }) => {
      const y = tf.conv2d(x as never, of(`${name}/kernel`) as never, stride, 'same') as Tensor;
      const { mean, variance } = tf.moments(y, [0, 1, 2]);
      const normal = tf.div(tf.sub(y, mean), tf.sqrt(tf.add(variance, BATCH_NORM_EPSILON)));
      return tf.add(tf.mul(normal, of(`${name}/scale`)), of(`${name}/offset`));
    },
    dense: (x, name) => tf.add(tf.matMul(x as never, of(`${name}/kernel`) as never), of(`${name}/bias`)),
    relu: (x) => tf.relu(x),
    sigmoid: (x) => tf.sigmoid(x),
    add: (a, b) => tf.add(a, b),
    mul: (a, b) => tf.mul(a, b),
    affine: (x, a, b) => tf.add(tf.mul(x, a), b),
    clip: (x, low, high) => tf.clipByValue(x, low, high),
    log: (x) => tf.log(x),
    sqrt: (x) => tf.sqrt(x),
    rsqrt: (x) => tf.rsqrt(x),
    sum: (x, axes) => tf.sum(x, axes, true),
    concat: (xs) => tf.concat(xs, 1),
    reshape: (x, shape) => tf.reshape(x, [-1, ...shape]),
    globalAverage: (x) => tf.mean(x, [1, 2]),
    prefixMask: (count, length) => tf.cast(tf.less(tf.range(0, length).expandDims(0), count), 'float32'),
  };
}

/** Loss of a batch and its gradient in every parameter, by name. */
export function eagerGradient(
  tf: Tf,
  spec: NetworkSpec,
  options: LossOptions,
  weights: Named,
  { batch, channel, noiseKey }: { batch: Batch; channel: BatchChannel; noiseKey: [number, number] },
): { loss: number; gradients: Map<string, Float32Array> } {
  const images = batch.labels.length / spec.classes;
  const n = channel.channelUses.length;
  const draws = n / images;
  const column = (values: Float32Array) => tf.tensor2d(values, [n, 1]);
  const ratio = (f: (gain: number, noise: number) => number) =>
    tf.tensor3d(
      channel.gainPower.map((gain, i) => f(gain, channel.noisePower[i]!)),
      [n, 1, 1],
    );
  const answer = (scores: Tensor, times: number): Tensor => {
    const tiled = (x: Tensor) => tf.tile(x, [times, 1]);
    const shares = tf.tensor2d(batch.labels, [images, spec.classes]);
    const smooth = tiled(tf.add(tf.mul(shares, 1 - options.smoothing), options.smoothing / spec.classes));
    const entropy = (p: Tensor, q: Tensor) => tf.neg(tf.mean(tf.sum(tf.mul(p, tf.logSoftmax(q)), 1)));
    const labels = entropy(smooth, scores);
    if (!batch.teacher) return labels;
    const { distillation: alpha, temperature: t } = options;
    const p = tiled(tf.tensor2d(batch.teacher, [images, spec.classes]));
    const divergence = tf.add(entropy(p, tf.div(scores, t)), tf.mean(tf.sum(tf.mul(p, tf.log(p)), 1)));
    return tf.add(tf.mul(labels, 1 - alpha), tf.mul(divergence, alpha * t * t));
  };
  const bound = (symbols: Tensor): Tensor => {
    const { groupSize } = options;
    const groups = [n / groupSize, groupSize];
    const power = tf.mean(tf.sum(tf.square(symbols), 2).reshape([...groups, spec.maxChannelUses]), 1, true);
    const snr = ratio((gain, noise) => gain / noise).reshape([...groups, 1]);
    return tf.div(tf.sum(tf.log1p(tf.mul(power, snr))), n * Math.LN2);
  };
  const scope = tf.engine();
  scope.startScope();
  try {
    const names = [...weights.keys()];
    const tensors = names.map((name) => tf.tensor(weights.get(name)!.data, weights.get(name)!.shape));
    const noise = randomNormal(tf, [n, spec.maxChannelUses, 2], noiseKey);
    const { value, grads } = tf.valueAndGrads((...given) => {
      const ops = eagerOps(tf, new Map(names.map((name, i) => [name, given[i] as unknown as Tensor])));
      const rgb = tf.tensor4d(batch.rgb, [images, spec.height, spec.width, 3]);
      const k = column(channel.channelUses);
      const features = imageFeatures(ops, spec, rgb as Tensor);
      const symbols = symbolsOf(ops, spec, tf.tile(features, [draws, 1]), column(channel.averageSnrDb), k);
      const sent = ops.prefixMask(k, spec.maxChannelUses).reshape([n, spec.maxChannelUses, 1]);
      const disturbance = ratio((gain, noisePower) => Math.sqrt((gain * noisePower) / 2) / (gain + noisePower));
      const received = tf.add(
        tf.mul(
          symbols,
          ratio((gain, noisePower) => gain / (gain + noisePower)),
        ),
        tf.mul(tf.mul(noise, disturbance), sent),
      );
      const scores = classScores(ops, spec, received, column(channel.frameSnrDb), k);
      const direct = ops.dense(features, 'auxiliary', spec.classes);
      const loss = tf.add(answer(scores, draws), tf.mul(answer(direct, 1), options.auxiliary));
      return (options.bottleneck > 0 ? tf.add(loss, tf.mul(bound(symbols), options.bottleneck)) : loss).asScalar();
    })(tensors);
    const gradients = new Map(names.map((name, i) => [name, grads[i]!.dataSync<'float32'>()]));
    return { loss: value.dataSync()[0]!, gradients };
  } finally {
    scope.endScope();
  }
}

function randomNormal(tf: Tf, shape: number[], key: [number, number]): Tensor {
  const backend = nativeBackend(tf);
  const { binding } = backend;
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  return backend.executeSingleOutput(
    'StatelessRandomNormal',
    [type('dtype', binding.TF_FLOAT), type('T', binding.TF_INT32), type('Tseed', binding.TF_INT32)],
    [tf.tensor1d(shape, 'int32'), tf.tensor1d(key, 'int32')],
  );
}
