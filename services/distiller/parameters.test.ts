process.env.TF_NUM_INTRAOP_THREADS = '1';

import { describe, expect, it } from 'vitest';
import { GradientGraph } from '../../shared/tensor/gradient-graph.js';
import { GradientOps } from '../../shared/tensor/gradient-ops.js';
import { GraphSession } from '../../shared/tensor/graph-session.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { statelessRandom } from '../../shared/tensor/stateless-random.js';
import { Parameters } from './parameters.js';

const random = statelessRandom(loadTensorFlow());
const kernel = { mean: 0, deviation: 0.5, decay: true };
const bias = { mean: 1, deviation: 0, decay: false };

function filled() {
  const ops = new GradientOps(new GradientGraph());
  const parameters = new Parameters(ops);
  parameters.get('a/kernel', [3, 3, 2, 4], kernel);
  parameters.get('a/bias', [4], bias);
  parameters.get('b/kernel', [4, 5], kernel);
  parameters.get('b/gain', [], { mean: 2, deviation: 0, decay: false });
  return { ops, parameters };
}

describe('Parameters', () => {
  it('start from the seed and their place, and are made once', () => {
    const { parameters } = filled();
    const start = parameters.initial(random, 3);
    expect(filled().parameters.initial(random, 3)).toEqual(start);
    expect(filled().parameters.initial(random, 4)).not.toEqual(start);
    expect(parameters.get('b/kernel', [4, 5], kernel)).toBe(parameters.values()[2]);
    expect(parameters.entries.map(({ name, size }) => `${name} ${size}`)).toEqual([
      'a/kernel 72',
      'a/bias 4',
      'b/kernel 20',
      'b/gain 1',
    ]);
  });

  it('start normal around their mean with their deviation, each with numbers of its own', () => {
    const parameters = new Parameters(new GradientOps(new GradientGraph()));
    for (const name of ['a', 'b']) parameters.get(name, [100, 400], { mean: 3, deviation: 0.5, decay: true });
    parameters.get('c', [3], bias);
    const parts = parameters.parts(parameters.initial(random, 1));
    const centred = ['a', 'b'].map((name) => parts.get(name)!.data.map((v) => (v - 3) / 0.5));
    const [a, b] = centred as [Float32Array, Float32Array];
    const mean = (f: (i: number) => number) => a.reduce((sum, _, i) => sum + f(i), 0) / a.length;
    for (const values of centred) {
      expect(Math.abs(mean((i) => values[i]!))).toBeLessThan(0.025);
      expect(Math.abs(mean((i) => values[i]! ** 2) - 1)).toBeLessThan(0.036);
    }
    expect(Math.abs(mean((i) => a[i]! * b[i]!))).toBeLessThan(0.025);
    expect([...parts.get('c')!.data]).toEqual([1, 1, 1]);
  });

  it('come out of one vector and go back bit for bit', () => {
    const { ops, parameters } = filled();
    expect(parameters.size).toBe(97);
    const vector = Float32Array.from({ length: 97 }, (_, i) => i);
    parameters.define(ops.graph.constant([97], vector));
    const session = new GraphSession(ops.graph.finish());
    const [kernelA, gain] = session.run([], ['parameter/a/bias', 'parameter/b/gain']);
    expect([...kernelA!, ...gain!]).toEqual([72, 73, 74, 75, 96]);
    session.dispose();
    const back = filled();
    back.parameters.define(back.ops.graph.constant([97], vector));
    const flat = back.parameters.flat(back.parameters.values());
    const again = new GraphSession(back.ops.graph.finish());
    expect(again.run([], [flat.node])[0]).toEqual(vector);
    again.dispose();
    const parts = parameters.parts(vector);
    expect([...parts].map(([, { shape }]) => shape)).toEqual(parameters.entries.map(({ shape }) => shape));
    expect([...parts.get('a/bias')!.data]).toEqual([72, 73, 74, 75]);
  });

  it('have a mask of what decays, in the order of the vector', () => {
    expect([...filled().parameters.decayMask()]).toEqual([
      ...new Array<number>(72).fill(1),
      ...new Array<number>(4).fill(0),
      ...new Array<number>(20).fill(1),
      0,
    ]);
  });
});
