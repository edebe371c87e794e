/** What the tests of channels measure, and the distributions they compare with. */
import { expect } from 'vitest';
import { type ChannelSettings, createChannelModel } from './channel-config.js';
import { LinkRandom } from './link-random.js';
import type { ChannelModel } from './model.js';

export const link = (id = 'link', seed = 7n) => new LinkRandom(seed, id);

/** k symbols 1 + 0j. */
export function ones(k: number): Float32Array {
  return Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));
}

/** Sends symbols in frames of `frame` symbols; returns what was received and the gain of each symbol as told. */
export function send(model: ChannelModel, symbols: Float32Array, frame: number, random = link(), start = 0) {
  const count = symbols.length / 2;
  const received = new Float32Array(2 * count);
  const gains = new Float32Array(2 * count);
  for (let at = 0; at < count; at += frame) {
    const k = Math.min(frame, count - at);
    const out = received.subarray(2 * at, 2 * (at + k));
    const effect = model.apply(symbols.subarray(2 * at, 2 * (at + k)), { random, position: start + at }, out);
    expect(effect.gains.length).toBe(2 * Math.ceil(k / effect.blockSymbols));
    for (let i = 0; i < k; i++) {
      const block = Math.floor(i / effect.blockSymbols);
      gains[2 * (at + i)] = effect.gains[2 * block]!;
      gains[2 * (at + i) + 1] = effect.gains[2 * block + 1]!;
    }
  }
  return { received, gains };
}

/** Gains of `links` links at `times` positions `spacing` symbols apart, one symbol a frame. */
export function gainsOf(settings: ChannelSettings, links: number, times: number, spacing: number): Float32Array {
  const model = createChannelModel(settings);
  const gains = new Float32Array(2 * links * times);
  const symbol = new Float32Array(2);
  for (let l = 0, at = 0; l < links; l++) {
    const random = link(`link-${l}`);
    for (let t = 0; t < times; t++, at += 2) {
      symbol[0] = 1;
      symbol[1] = 0;
      const effect = model.apply(symbol, { random, position: t * spacing }, symbol);
      gains[at] = effect.gains[0]!;
      gains[at + 1] = effect.gains[1]!;
    }
  }
  return gains;
}

/** Mean of |z|^2. */
export function meanPower(numbers: Float32Array): number {
  let sum = 0;
  for (const x of numbers) sum += x * x;
  return sum / (numbers.length / 2);
}

export function magnitudes(numbers: Float32Array): Float64Array {
  return Float64Array.from({ length: numbers.length / 2 }, (_, i) => Math.hypot(numbers[2 * i]!, numbers[2 * i + 1]!));
}

/** Mean of z(i + lag) conj(z(i)). */
export function correlation(z: Float32Array, lag: number, w = z): { re: number; im: number } {
  const count = z.length / 2 - lag;
  let re = 0;
  let im = 0;
  for (let i = 0; i < count; i++) {
    const a = w[2 * (i + lag)]!;
    const b = w[2 * (i + lag) + 1]!;
    re += a * z[2 * i]! + b * z[2 * i + 1]!;
    im += b * z[2 * i]! - a * z[2 * i + 1]!;
  }
  return { re: re / count, im: im / count };
}

/** Q(x) = P(N(0, 1) > x), by Craig's integral (MILCOM 1991), midpoint rule. */
export function tail(x: number): number {
  const steps = 2000;
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += Math.exp((-x * x) / (2 * Math.sin(((i + 0.5) * Math.PI) / (2 * steps)) ** 2));
  return sum / (2 * steps);
}

/** J0(x) = (1/pi) integral of cos(x sin t), 0 to pi; the trapezoidal rule is exact to 1e-12 for x < 60. */
export function besselJ0(x: number): number {
  const steps = 200;
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += Math.cos(x * Math.sin(((i + 0.5) * Math.PI) / steps));
  return sum / steps;
}

/** P(|h| <= r) for Rayleigh with E|h|^2 = 1. */
export const rayleighProbability = (r: number) => 1 - Math.exp(-r * r);

/**
 * P(|h| <= r) for Rice with E|h|^2 = 1 and K linear: |h|^2 is a Poisson(K) mixture of Gamma distributions (non-central
 * chi-square). Tabled at 4,000 points.
 */
export function riceProbability(k: number): (r: number) => number {
  const greatest = 4;
  const table = Float64Array.from({ length: 4001 }, (_, i) => {
    const y = (k + 1) * ((i * greatest) / 4000) ** 2;
    let weight = Math.exp(-k);
    let term = Math.exp(-y);
    let above = term;
    let sum = 0;
    for (let j = 0; j < 400; j++) {
      sum += weight * (1 - above);
      weight *= k / (j + 1);
      term *= y / (j + 1);
      above += term;
    }
    return sum;
  });
  return (r) => {
    const x = Math.min((r / greatest) * 4000, 3999.999);
    const i = Math.floor(x);
    return table[i]! + (x - i) * (table[i + 1]! - table[i]!);
  };
}

/** Kolmogorov-Smirnov distance of a sample to a distribution. */
export function kolmogorovSmirnov(sample: Float64Array, probability: (x: number) => number): number {
  const sorted = sample.slice().sort();
  let distance = 0;
  for (const [i, x] of sorted.entries()) {
    const expected = probability(x);
    distance = Math.max(distance, Math.abs(expected - i / sorted.length), Math.abs((i + 1) / sorted.length - expected));
  }
  return distance;
}

/** The mean of independent values against what it should be: within 4.5 standard errors (1 in 150,000 fails). */
export function expectMean(values: Iterable<number>, expected: number): void {
  let n = 0;
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    n++;
    sum += value;
    squares += value * value;
  }
  const mean = sum / n;
  const error = Math.sqrt(Math.max(squares / n - mean * mean, 1e-18) / n);
  expect(Math.abs(mean - expected) / error).toBeLessThan(4.5);
}
