process.env.TF_NUM_INTRAOP_THREADS = '1';

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelSession } from '../tensor/session.js';
import { graphPorts, type Role } from './model-folder.js';
import { classScores, imageFeatures, type NetworkSpec, symbolsOf } from './network.js';
import { decoderGraph, encoderGraph } from './network-graph.js';
import { type Reference, ReferenceOps, referenceSoftmax } from './reference-ops.fixture.js';
import { randomImages, randomWeights, SMALL_SPEC, seededNormal, seededUniform } from './small-model.fixture.js';
import type { Weights } from './weights.js';

const TOLERANCE = 1e-4;
const spec = SMALL_SPEC;
const weights = randomWeights(spec, 11);
const width = 2 * spec.maxChannelUses;
const everyK = Array.from({ length: spec.maxChannelUses }, (_, i) => i + 1);
const folder = mkdtempSync(path.join(os.tmpdir(), 'semlink-graph-'));

function session(role: Role, of: NetworkSpec, from: Weights): ModelSession {
  const graph = role === 'encoder' ? encoderGraph(of, from) : decoderGraph(of, from);
  const home = mkdtempSync(path.join(folder, `${role}-`));
  mkdirSync(home, { recursive: true });
  writeFileSync(path.join(home, 'saved_model.pb'), graph);
  return new ModelSession(home, graphPorts(of, role));
}

function referenceOps(from: Weights): ReferenceOps {
  return new ReferenceOps((name, _kind, shape) => {
    const { shape: stored, data } = from.get(name)!;
    expect(stored).toEqual(shape);
    return data;
  });
}

const batched = (shape: number[], data: ArrayLike<number>): Reference => ({ shape, data: Float64Array.from(data) });

function referenceSymbols(of: NetworkSpec, from: Weights, rgb: Uint8Array, snrDb: Float32Array, k: Float32Array) {
  const n = k.length;
  const ops = referenceOps(from);
  const features = imageFeatures(ops, of, batched([n, of.height, of.width, 3], rgb));
  return symbolsOf(ops, of, features, batched([n, 1], snrDb), batched([n, 1], k)).data;
}

function referenceProbabilities(from: Weights, symbols: Float32Array, snrDb: Float32Array, k: Float32Array) {
  const n = k.length;
  const received = batched([n, spec.maxChannelUses, 2], symbols);
  return referenceSoftmax(classScores(referenceOps(from), spec, received, batched([n, 1], snrDb), batched([n, 1], k)));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((worst, value, i) => {
    const difference = Math.abs(value - b[i]!);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }, 0);
}

/** A batch in which every k occurs, each with several SNRs, in and beyond the conditioned range. */
function jobs(seed: number) {
  const snrs = [-40, -12, -3.5, 7, 26, 60];
  const cases = everyK.flatMap((k) => snrs.map((snrDb) => ({ k, snrDb })));
  const normal = seededNormal(seed);
  const symbols = new Float32Array(cases.length * width);
  cases.forEach(({ k }, i) => {
    for (let at = 0; at < 2 * k; at++) symbols[i * width + at] = normal();
  });
  return {
    count: cases.length,
    rgb: randomImages(spec, cases.length, seed),
    symbols,
    snrDb: Float32Array.from(cases, (one) => one.snrDb),
    k: Float32Array.from(cases, (one) => one.k),
  };
}

describe('frozen graphs', () => {
  let encoder: ModelSession;
  let decoder: ModelSession;
  const batch = jobs(3);
  let symbols: Float32Array;

  beforeAll(() => {
    encoder = session('encoder', spec, weights);
    decoder = session('decoder', spec, weights);
    symbols = encoder.run(batch.count, [batch.rgb, batch.snrDb, batch.k]);
  });

  afterAll(() => {
    encoder.dispose();
    decoder.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it('give the symbols of plain arithmetic in double precision, for every k and SNR', () => {
    const expected = referenceSymbols(spec, weights, batch.rgb, batch.snrDb, batch.k);
    expect(largestDifference(symbols, expected)).toBeLessThan(TOLERANCE);
  });

  it('agree for even sizes and another set of weights too', () => {
    const other: NetworkSpec = { ...spec, width: 16, height: 16, stages: [4, 4, 4] };
    const from = randomWeights(other, 23);
    const own = session('encoder', other, from);
    const rgb = randomImages(other, 3, 5);
    const snrDb = Float32Array.of(-6, 4, 20);
    const k = Float32Array.of(8, 3, 1);
    const got = own.run(3, [rgb, snrDb, k]);
    own.dispose();
    expect(largestDifference(got, referenceSymbols(other, from, rgb, snrDb, k))).toBeLessThan(TOLERANCE);
  });

  it('give the probabilities of plain arithmetic in double precision, for every k and SNR', () => {
    const got = decoder.run(batch.count, [batch.symbols, batch.snrDb, batch.k]);
    const expected = referenceProbabilities(weights, batch.symbols, batch.snrDb, batch.k);
    expect(largestDifference(got, expected)).toBeLessThan(TOLERANCE);
    for (let i = 0; i < batch.count; i++) {
      const row = got.subarray(i * spec.classes, (i + 1) * spec.classes);
      expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
  });

  it('send unit average power for each image by itself over its first k symbols, and nothing behind them', () => {
    for (let i = 0; i < batch.count; i++) {
      const k = batch.k[i]!;
      const own = symbols.subarray(i * width, (i + 1) * width);
      const power = own.subarray(0, 2 * k).reduce((sum, v) => sum + v * v, 0) / k;
      expect(power).toBeCloseTo(1, 5);
      expect(own.subarray(2 * k).every((v) => v === 0)).toBe(true);
    }
  });

  it('clip the SNR to what they are conditioned on, and follow it inside', () => {
    const rgb = randomImages(spec, 1, 8);
    const at = (snrDb: number) => encoder.run(1, [rgb, Float32Array.of(snrDb), Float32Array.of(6)]);
    const decoded = (snrDb: number) => decoder.run(1, [at(5), Float32Array.of(snrDb), Float32Array.of(6)]);
    for (const run of [at, decoded]) {
      expect(run(200)).toEqual(run(26));
      expect(run(-200)).toEqual(run(-12));
      expect(run(25)).not.toEqual(run(26));
      expect(run(-11)).not.toEqual(run(-12));
    }
  });

  describe('give one image the same', () => {
    const size = spec.width * spec.height * 3;
    const uniform = seededUniform(4);
    const pick = <A extends Float32Array | Uint8Array>(all: A, each: number, order: number[]): A => {
      const to = all.slice(0, order.length * each) as A;
      order.forEach((from, i) => {
        to.set(all.subarray(from * each, (from + 1) * each), i * each);
      });
      return to;
    };
    /** Both outputs for images of the big batch, in the order given. */
    const run = (order: number[]) => {
      const channel = [pick(batch.snrDb, 1, order), pick(batch.k, 1, order)];
      return {
        symbols: encoder.run(order.length, [pick(batch.rgb, size, order), ...channel]),
        probabilities: decoder.run(order.length, [pick(batch.symbols, width, order), ...channel]),
      };
    };
    const someone = () => Math.floor(uniform() * batch.count);

    it('bits whatever its neighbours are, in a batch of the same size', () => {
      for (const batchSize of [2, 5, 16]) {
        const order = Array.from({ length: batchSize }, someone);
        for (let place = 0; place < batchSize; place++) {
          const others = order.map((own, i) => (i === place ? own : someone()));
          const [before, after] = [run(order), run(others)];
          for (const [name, each] of [['symbols', width] as const, ['probabilities', spec.classes] as const]) {
            const from = place * each;
            expect(after[name].subarray(from, from + each)).toEqual(before[name].subarray(from, from + each));
          }
        }
      }
    });

    // TensorFlow's matrix products add in another order for other sizes: equal but for rounding, not in every bit.
    it('numbers to 1e-5 alone, in a batch of any size and at any place in it', () => {
      const all = run([...Array(batch.count).keys()]);
      for (const batchSize of [1, 2, 3, 7, 16, 33]) {
        const order = Array.from({ length: batchSize }, someone);
        const got = run(order);
        expect(largestDifference(got.symbols, pick(all.symbols, width, order))).toBeLessThan(1e-5);
        expect(largestDifference(got.probabilities, pick(all.probabilities, spec.classes, order))).toBeLessThan(1e-5);
      }
    });
  });

  it('are the same bytes for the same weights', () => {
    const again = randomWeights(spec, 11);
    expect(Buffer.compare(encoderGraph(spec, weights), encoderGraph(spec, again))).toBe(0);
    expect(Buffer.compare(decoderGraph(spec, weights), decoderGraph(spec, again))).toBe(0);
  });

  it('name the weight that is missing or of another shape', () => {
    const without = new Map(weights);
    without.delete('encoder/a/1/variance');
    expect(() => encoderGraph(spec, without)).toThrow(/"encoder\/a\/1\/variance" is missing/);
    expect(() => decoderGraph({ ...spec, decoderUnits: 13 }, weights)).toThrow(
      /"decoder\/gate\/kernel" has shape \[9,12\], the network wants \[9,13\]/,
    );
  });
});
