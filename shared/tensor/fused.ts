import type { Tensor, Tensor4D } from '@tensorflow/tfjs-node-gpu';
import { nativeBackend, type OpAttribute, type Tf } from './native.js';

/** Batch statistics of a normalised layer. */
export interface BatchNormStatistics {
  mean: Tensor;
  variance: Tensor;
}

/**
 * TensorFlow kernels that TensorFlow.js never calls by itself. A training step made of its own small ops spends most of
 * its time in batch normalisation; with these it runs about three times as fast.
 */
export interface FusedOps {
  /** NHWC batch normalisation with batch statistics; `onStatistics` gets them once a forward pass (do not dispose). */
  batchNorm(x: Tensor4D, scale: Tensor, offset: Tensor, onStatistics: (s: BatchNormStatistics) => void): Tensor4D;
  relu<T extends Tensor>(x: T): T;
  /** Standard normal variates, `shape`, a pure function of (seed, counter) on every machine (Philox). */
  statelessNormal(shape: number[], seed: number, counter: number): Tensor;
  /** Uniform [0, 1) variates, likewise. */
  statelessUniform(shape: number[], seed: number, counter: number): Tensor;
}

/** Added to the variance in batch normalisation. */
export const BATCH_NORM_EPSILON = 1e-3;

/** Binds the fused ops to a loaded TensorFlow. */
export function fusedOps(tf: Tf): FusedOps {
  const backend = nativeBackend(tf);
  const { binding } = backend;
  const type = (name: string, value: number): OpAttribute => ({ name, type: binding.TF_ATTR_TYPE, value });
  const floatType = type('T', binding.TF_FLOAT);
  const normAttributes: OpAttribute[] = [
    floatType,
    type('U', binding.TF_FLOAT),
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: BATCH_NORM_EPSILON },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'is_training', type: binding.TF_ATTR_BOOL, value: true },
  ];
  const averaging: OpAttribute = { name: 'exponential_avg_factor', type: binding.TF_ATTR_FLOAT, value: 1 };
  const empty = tf.keep(tf.tensor1d([], 'float32'));

  const normalise = (onStatistics: (s: BatchNormStatistics) => void) =>
    tf.customGrad((...args) => {
      const [x, scale, offset] = args as unknown as Tensor[];
      const save = args[3] as unknown as (t: Tensor[]) => void;
      const inputs = [x!, scale!, offset!, empty, empty];
      const out = backend.executeMultipleOutputs('FusedBatchNormV3', [...normAttributes, averaging], inputs, 6);
      const [y, mean, variance, r1, r2, r3] = out as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      onStatistics({ mean, variance });
      save([x!, scale!, r1, r2, r3]);
      return {
        value: y,
        gradFunc: (dy: Tensor | Tensor[], saved: Tensor[]) =>
          backend
            .executeMultipleOutputs('FusedBatchNormGradV3', normAttributes, [dy as Tensor, ...saved], 5)
            .slice(0, 3),
      };
    });

  const reluOp = tf.customGrad((...args) => {
    const x = args[0] as unknown as Tensor;
    const save = args[1] as unknown as (t: Tensor[]) => void;
    const y = backend.executeSingleOutput('Relu', [floatType], [x]);
    save([y]);
    return {
      value: y,
      gradFunc: (dy: Tensor | Tensor[], [out]: Tensor[]) =>
        backend.executeSingleOutput('ReluGrad', [floatType], [dy as Tensor, out!]),
    };
  });

  const stateless = (op: string, shape: number[], seed: number, counter: number): Tensor =>
    tf.tidy(() =>
      backend.executeSingleOutput(
        op,
        [type('dtype', binding.TF_FLOAT), type('T', binding.TF_INT32), type('Tseed', binding.TF_INT32)],
        [tf.tensor1d(shape, 'int32'), tf.tensor1d([seed | 0, counter | 0], 'int32')],
      ),
    );

  return {
    batchNorm: (x, scale, offset, onStatistics) => normalise(onStatistics)(x, scale, offset) as Tensor4D,
    relu: <T extends Tensor>(x: T) => reluOp(x) as T,
    statelessNormal: (shape, seed, counter) => stateless('StatelessRandomNormal', shape, seed, counter),
    statelessUniform: (shape, seed, counter) => stateless('StatelessRandomUniform', shape, seed, counter),
  };
}
