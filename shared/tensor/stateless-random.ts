import { nativeBackend, type OpAttribute, type Tf } from './native.js';

/** Variates that are a pure function of (seed, counter), the same on every machine (Philox). */
export interface StatelessRandom {
  /** Standard normal. */
  normal(count: number, seed: number, counter: number): Float32Array;
  /** Uniform [0, 1). */
  uniform(count: number, seed: number, counter: number): Float32Array;
}

/** Binds TensorFlow's stateless random numbers. */
export function statelessRandom(tf: Tf): StatelessRandom {
  const backend = nativeBackend(tf);
  const { binding } = backend;
  const type = (name: string, value: number): OpAttribute => ({ name, type: binding.TF_ATTR_TYPE, value });
  const attributes = [type('dtype', binding.TF_FLOAT), type('T', binding.TF_INT32), type('Tseed', binding.TF_INT32)];
  const draw = (op: string, count: number, seed: number, counter: number): Float32Array =>
    tf.tidy(() =>
      backend
        .executeSingleOutput(op, attributes, [
          tf.tensor1d([count], 'int32'),
          tf.tensor1d([seed | 0, counter | 0], 'int32'),
        ])
        .dataSync<'float32'>(),
    );
  return {
    normal: (count, seed, counter) => draw('StatelessRandomNormal', count, seed, counter),
    uniform: (count, seed, counter) => draw('StatelessRandomUniform', count, seed, counter),
  };
}
