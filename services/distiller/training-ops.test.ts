process.env.TF_NUM_INTRAOP_THREADS = '1';

import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { classScores, imageFeatures, type NetworkOps, symbolsOf } from '../../shared/codec/network.js';
import { type Reference, ReferenceOps } from '../../shared/codec/reference-ops.fixture.js';
import { randomImages, SMALL_SPEC, seededNormal } from '../../shared/codec/small-model.fixture.js';
import { convolutions } from '../../shared/tensor/convolution.js';
import { fusedOps } from '../../shared/tensor/fused.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { Parameters } from './parameters.js';
import { TrainingOps } from './training-ops.js';

const tf = loadTensorFlow();
const fused = fusedOps(tf);
const spec = SMALL_SPEC;
const COUNT = 6;
const rgb = randomImages(spec, COUNT, 1);
const snrDb = [-30, -6, 0, 7, 20, 40];
const k = [1, 2, 3, 4, 7, 8];
const normal = seededNormal(2);
const received = Array.from({ length: COUNT * spec.maxChannelUses * 2 }, normal);

/** Both networks over any operations, from the same inputs. */
function forward<T>(ops: NetworkOps<T>, make: (shape: number[], data: ArrayLike<number>) => T) {
  const features = imageFeatures(ops, spec, make([COUNT, spec.height, spec.width, 3], rgb));
  const channel = [make([COUNT, 1], snrDb), make([COUNT, 1], k)] as const;
  const symbols = symbolsOf(ops, spec, features, ...channel);
  const scores = classScores(ops, spec, make([COUNT, spec.maxChannelUses, 2], received), ...channel);
  return { symbols, scores };
}

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

describe('TrainingOps', () => {
  it('compute what plain arithmetic does with the statistics of the batch, which they tell layer by layer', () => {
    const parameters = new Parameters(tf, fused, 5);
    const ops = new TrainingOps(tf, fused, convolutions(tf, 'float32'), parameters);
    const asTensor = (shape: number[], data: ArrayLike<number>): Tensor => tf.tensor(Float32Array.from(data), shape);
    forward<Tensor>(ops, asTensor);
    // Away from the initial values, where scales are 1 and offsets 0.
    parameters.use(
      parameters.tensors().map((tensor, i) => tf.add(tensor, tf.mul(fused.statelessNormal(tensor.shape, 6, i), 0.2))),
    );
    const statistics = new Map<string, { mean: Float32Array; variance: Float32Array }>();
    ops.onStatistics = (layer, mean, variance) => {
      expect(statistics.has(layer)).toBe(false);
      // The tensors live no longer than this call.
      const [means, variances] = [mean, variance].map((tensor) => tensor.dataSync<'float32'>());
      statistics.set(layer, { mean: means!, variance: variances! });
    };
    const got = forward<Tensor>(ops, asTensor);

    const byName = new Map(parameters.entries.map(({ name }, i) => [name, parameters.tensors()[i]!]));
    const asked = new Set<string>();
    const positions = (layer: string) => {
      // Stages at 1/2, 1/4 and 1/8 of 9 x 11.
      const [rows, columns] = layer.includes('/c/') ? [2, 2] : layer.includes('/b/') ? [3, 3] : [5, 6];
      return COUNT * rows * columns;
    };
    const reference = new ReferenceOps((name, kind, shape) => {
      asked.add(name);
      const layer = name.slice(0, name.lastIndexOf('/'));
      if (kind !== 'mean' && kind !== 'variance') {
        expect(byName.get(name)?.shape).toEqual(shape);
        return byName.get(name)!.dataSync();
      }
      const values = statistics.get(layer)![kind];
      // What is told is unbiased; the batch itself is normalised by the biased variance.
      return kind === 'mean' ? values : values.map((v) => (v * (positions(layer) - 1)) / positions(layer));
    });
    const expected = forward<Reference>(reference, (shape, data) => ({ shape, data: Float64Array.from(data) }));
    for (const part of ['symbols', 'scores'] as const) {
      const values = got[part].dataSync();
      expect(got[part].shape).toEqual(expected[part].shape);
      expect(values.some((v) => Math.abs(v) > 0.1)).toBe(true);
      values.forEach((value, i) => {
        expect(Math.abs(value - expected[part].data[i]!)).toBeLessThan(1e-4);
      });
    }
    expect([...byName.keys()].filter((name) => !asked.has(name))).toEqual([]);
  });

  it('decay the weights of layers and nothing else', () => {
    const parameters = new Parameters(tf, fused, 5);
    forward<Tensor>(new TrainingOps(tf, fused, convolutions(tf, 'float32'), parameters), (shape, data) =>
      tf.tensor(Float32Array.from(data), shape),
    );
    for (const { name, decay } of parameters.entries) expect(decay).toBe(name.endsWith('/kernel'));
  });
});
