process.env.TF_NUM_INTRAOP_THREADS = '1';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fusedOps } from '../../shared/tensor/fused.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { Parameters } from './parameters.js';

const tf = loadTensorFlow();
const fused = fusedOps(tf);
const kernel = { mean: 0, deviation: 0.5, decay: true };
const bias = { mean: 1, deviation: 0, decay: false };

function filled(seed = 3): Parameters {
  const parameters = new Parameters(tf, fused, seed);
  parameters.get('a/kernel', [3, 3, 2, 4], kernel);
  parameters.get('a/bias', [4], bias);
  parameters.get('b/kernel', [4, 5], kernel);
  parameters.get('b/gain', [], { mean: 2, deviation: 0, decay: false });
  return parameters;
}
const bits = (parameters: Parameters) => parameters.tensors().map((tensor) => [...tensor.dataSync()]);

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

describe('Parameters', () => {
  it('start from the seed and their place, and are made once', () => {
    expect(bits(filled())).toEqual(bits(filled()));
    expect(bits(filled(4))[0]).not.toEqual(bits(filled())[0]);
    const parameters = filled();
    expect(parameters.get('b/kernel', [4, 5], kernel)).toBe(parameters.tensors()[2]);
    expect(parameters.entries.map(({ name, size }) => `${name} ${size}`)).toEqual([
      'a/kernel 72',
      'a/bias 4',
      'b/kernel 20',
      'b/gain 1',
    ]);
  });

  it('start normal around their mean with their deviation, each with numbers of its own', () => {
    const parameters = new Parameters(tf, fused, 1);
    const [a, b] = ['a', 'b'].map((name) =>
      parameters.get(name, [100, 400], { mean: 3, deviation: 0.5, decay: true }).dataSync<'float32'>(),
    ) as [Float32Array, Float32Array];
    const centred = [a, b].map((values) => values.map((v) => (v - 3) / 0.5)) as [Float32Array, Float32Array];
    const mean = (f: (i: number) => number) => a.reduce((sum, _, i) => sum + f(i), 0) / a.length;
    for (const values of centred) {
      expect(Math.abs(mean((i) => values[i]!))).toBeLessThan(0.025);
      expect(Math.abs(mean((i) => values[i]! ** 2) - 1)).toBeLessThan(0.036);
    }
    expect(Math.abs(mean((i) => centred[0][i]! * centred[1][i]!))).toBeLessThan(0.025);
    expect([...parameters.get('c', [3], bias).dataSync()]).toEqual([1, 1, 1]);
  });

  it('go into one vector and back bit for bit', () => {
    const parameters = filled();
    const flat = parameters.flatten(parameters.tensors());
    expect(flat.shape).toEqual([97]);
    expect([...flat.dataSync()]).toEqual(bits(parameters).flat());
    const back = parameters.unflatten(flat);
    expect(back.map((tensor) => tensor.shape)).toEqual(parameters.tensors().map((tensor) => tensor.shape));
    expect(back.map((tensor) => [...tensor.dataSync()])).toEqual(bits(parameters));
    const other = parameters.unflatten(tf.range(0, 97));
    parameters.use(other);
    expect(parameters.get('a/bias', [4], bias)).toBe(other[1]);
    expect([...parameters.get('a/bias', [4], bias).dataSync()]).toEqual([72, 73, 74, 75]);
  });

  it('have a mask of what decays, in the order of the vector', () => {
    expect([...filled().decayMask().dataSync()]).toEqual([
      ...new Array<number>(72).fill(1),
      ...new Array<number>(4).fill(0),
      ...new Array<number>(20).fill(1),
      0,
    ]);
  });
});
