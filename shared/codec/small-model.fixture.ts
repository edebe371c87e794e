/** For tests: a small network with random weights and batch statistics, seeded, and a manifest that describes it. */
import type { Calibration } from './calibration.js';
import type { Manifest } from './manifest.js';
import { classScores, imageFeatures, type NetworkSpec, symbolsOf } from './network.js';
import { decoderCost, encoderCost } from './network-cost.js';
import { type Reference, ReferenceOps, type WeightKind } from './reference-ops.fixture.js';
import type { Weights, WeightTensor } from './weights.js';

/** Odd sizes, so that padding falls on both sides unevenly. */
export const SMALL_SPEC: NetworkSpec = {
  width: 11,
  height: 9,
  classes: 5,
  stages: [3, 4, 6],
  maxChannelUses: 8,
  conditionUnits: 9,
  decoderUnits: 12,
};

/** Lengths of the small model. */
export const SMALL_LENGTHS = [1, 2, 4, 8];

/** Uniform [0, 1), the same sequence for the same seed (mulberry32). */
export function seededUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers (Box-Muller). */
export function seededNormal(seed: number): () => number {
  const uniform = seededUniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Every weight both networks ask for, random, none of them near what a fresh network has. */
export function randomWeights(spec: NetworkSpec, seed: number): Weights {
  const uniform = seededUniform(seed);
  const normal = seededNormal(seed + 1);
  const weights = new Map<string, WeightTensor>();
  const draw: Record<WeightKind, (fanIn: number) => number> = {
    kernel: (fanIn) => normal() * Math.sqrt(2 / fanIn),
    bias: () => 0.3 * normal(),
    scale: () => 0.5 + uniform(),
    offset: () => 0.3 * normal(),
    mean: () => 0.5 * normal(),
    variance: () => 0.2 + 2 * uniform(),
  };
  const ops = new ReferenceOps((name, kind, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const fanIn = size / shape.at(-1)!;
    const data = Float32Array.from({ length: size }, () => draw[kind](fanIn));
    weights.set(name, { shape, data });
    return data;
  });
  const one = (shape: number[]): Reference => ({
    shape: [1, ...shape],
    data: new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(1),
  });
  symbolsOf(ops, spec, imageFeatures(ops, spec, one([spec.height, spec.width, 3])), one([1]), one([1]));
  classScores(ops, spec, one([spec.maxChannelUses, 2]), one([1]), one([1]));
  return weights;
}

/** Random pixels of `count` images. */
export function randomImages(spec: NetworkSpec, count: number, seed: number): Uint8Array {
  const uniform = seededUniform(seed);
  return Uint8Array.from({ length: count * spec.height * spec.width * 3 }, () => Math.floor(256 * uniform()));
}

/** A calibration that rises with SNR and with k, and is worse over Rayleigh fading. */
export function smallCalibration(channelUses: number[] = SMALL_LENGTHS): Calibration {
  const snrDb = [-6, 0, 6, 12];
  const table = (loss: number) =>
    channelUses.map((_, row) => snrDb.map((_, column) => 0.2 + 0.1 * row + 0.12 * column - loss));
  return {
    images: 100,
    split: 'held-out',
    snrDb,
    channelUses,
    accuracy: { awgn: table(0), 'rayleigh-block': table(0.1) },
  };
}

/** A complete description of the small model, but for its files. */
export function smallManifest(version = 'small-1', spec: NetworkSpec = SMALL_SPEC): Omit<Manifest, 'files'> {
  const channelUses = [...SMALL_LENGTHS.filter((k) => k < spec.maxChannelUses), spec.maxChannelUses];
  const cost = ({ parameters, flop }: { parameters: number; flop: number }) => ({ parameters, mflop: flop / 1e6 });
  return {
    format: 'semlink-model/1',
    version,
    dataset: 'random pixels',
    classNames: Array.from({ length: spec.classes }, (_, i) => `class ${i}`),
    network: spec,
    channelUses,
    cost: { encoder: cost(encoderCost(spec)), decoder: cost(decoderCost(spec)) },
    calibration: smallCalibration(channelUses),
    training: {
      command: 'none',
      seed: 1,
      split: 'none',
      images: 100,
      epochs: 1,
      batchSize: 10,
      steps: 10,
      seconds: 1,
      threads: 1,
      software: {},
      options: {},
    },
  };
}
