process.env.TF_NUM_INTRAOP_THREADS = '1';

import { describe, expect, it } from 'vitest';
import { classScores, imageFeatures, type NetworkOps, symbolsOf } from '../../shared/codec/network.js';
import { type Reference, ReferenceOps } from '../../shared/codec/reference-ops.fixture.js';
import { randomImages, SMALL_SPEC, seededNormal } from '../../shared/codec/small-model.fixture.js';
import { GradientGraph, type Value } from '../../shared/tensor/gradient-graph.js';
import { GradientOps } from '../../shared/tensor/gradient-ops.js';
import { GraphSession } from '../../shared/tensor/graph-session.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { statelessRandom } from '../../shared/tensor/stateless-random.js';
import { Parameters } from './parameters.js';
import { TrainingOps } from './training-ops.js';

const random = statelessRandom(loadTensorFlow());
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

function training() {
  const ops = new GradientOps(new GradientGraph());
  const parameters = new Parameters(ops);
  const interpreter = new TrainingOps(ops, parameters, 'float32');
  const got = forward<Value>(interpreter, (shape, data) => ops.graph.constant(shape, Float32Array.from(data)));
  return { ops, parameters, interpreter, got };
}

describe('TrainingOps', () => {
  it('compute what plain arithmetic does with the statistics of the batch, which they tell layer by layer', () => {
    const { ops, parameters, interpreter, got } = training();
    // Away from the initial values, where scales are 1 and offsets 0.
    const moved = random.normal(parameters.size, 6, 0);
    const vector = parameters.initial(random, 5).map((value, i) => value + 0.2 * moved[i]!);
    parameters.define(ops.graph.constant([vector.length], vector));
    const layers = interpreter.statistics;
    const session = new GraphSession(ops.graph.finish());
    const nodes = [got.symbols, got.scores, ...layers.flatMap(({ mean, variance }) => [mean, variance])];
    const values = session.run(
      [],
      nodes.map(({ node }) => node),
    );
    session.dispose();
    const statistics = new Map(
      layers.map(({ layer }, i) => [layer, { mean: values[2 + 2 * i]!, variance: values[3 + 2 * i]! }]),
    );
    expect(statistics.size).toBe(layers.length);

    const byName = parameters.parts(vector);
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
        return byName.get(name)!.data;
      }
      const of = statistics.get(layer)![kind];
      // What is told is unbiased; the batch itself is normalised by the biased variance.
      return kind === 'mean' ? of : of.map((v) => (v * (positions(layer) - 1)) / positions(layer));
    });
    const expected = forward<Reference>(reference, (shape, data) => ({ shape, data: Float64Array.from(data) }));
    (['symbols', 'scores'] as const).forEach((part, at) => {
      expect(got[part].shape).toEqual(expected[part].shape);
      expect(values[at]!.some((v) => Math.abs(v) > 0.1)).toBe(true);
      values[at]!.forEach((value, i) => {
        expect(Math.abs(value - expected[part].data[i]!)).toBeLessThan(1e-4);
      });
    });
    expect([...byName.keys()].filter((name) => !asked.has(name))).toEqual([]);
  });

  it('decay the weights of layers and nothing else', () => {
    for (const { name, decay } of training().parameters.entries) expect(decay).toBe(name.endsWith('/kernel'));
  });
});
