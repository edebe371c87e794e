import { createChannelModel, typicalSettings } from '../../../shared/channel/channel-config.js';
import { LinkRandom } from '../../../shared/channel/link-random.js';
import { meanOverRayleigh } from './capacity-bound.js';

/**
 * The honest baseline: classify on the device and send the label, coded for k channel uses, decoded with maximum
 * likelihood by a receiver that knows the gain. Codewords have the power that an image's symbols have.
 *
 * From 2k >= M - 1 real dimensions the code is the simplex of M words, the best there is of equal energy, with its closed
 * form. Below, M points on the sphere of 2k dimensions are optimised for this SNR and channel (union bound), and sent
 * through this project's channel.
 *
 * @returns probability that the label arrives right
 */
export function labelArrives(channel: 'awgn' | 'rayleigh-block', snrDb: number, k: number, labels: number): number {
  if (2 * k < labels - 1) return simulate(channel, snrDb, k, labels);
  const at = (gain: number) => simplexCorrect(gain * k * 10 ** (snrDb / 10), labels);
  return channel === 'awgn' ? at(1) : meanOverRayleigh(at, 500);
}

/** A label that arrives wrong is any of the others, the true one of a wrongly classified image among them. */
export function codedLabelAccuracy(onDevice: number, arrives: number, labels: number): number {
  return onDevice * arrives + ((1 - onDevice) * (1 - arrives)) / (labels - 1);
}

/**
 * P(right) of M simplex words of energy E: the integral of phi(x - sqrt(2 E/N0 M/(M-1))) Phi(x)^(M-1) (Proakis, Digital
 * Communications, 4.4, orthogonal words at M/(M-1) times the energy).
 * @param energy E/N0, linear
 */
export function simplexCorrect(energy: number, labels: number): number {
  const mean = Math.sqrt((2 * energy * labels) / (labels - 1));
  const steps = 400;
  const width = 16 / steps;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    const z = -8 + (i + 0.5) * width;
    sum += Math.exp((-z * z) / 2) * normalCdf(z + mean) ** (labels - 1);
  }
  return Math.min(1, (sum * width) / Math.sqrt(2 * Math.PI));
}

/** Phi(x), error below 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function normalCdf(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2;
  const t = 1 / (1 + 0.3275911 * z);
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const tail = (series.reduce((sum, a) => sum * t + a, 0) * t * Math.exp(-z * z)) / 2;
  return x < 0 ? tail : 1 - tail;
}

/** Labels that are sent through the channel for one point: one standard error is at most 0.25 %. */
const SENT = 40_000;

function simulate(name: 'awgn' | 'rayleigh-block', snrDb: number, k: number, labels: number): number {
  const words = sphericalCode(name, 10 ** (snrDb / 10) * k, 2 * k, labels).map((word) =>
    Float32Array.from(word, (x) => x * Math.sqrt(k)),
  );
  const channel = createChannelModel(typicalSettings(name, snrDb));
  const random = new LinkRandom(1n, `label:${name}:${snrDb}:${k}`);
  const air = new Float32Array(2 * k);
  let right = 0;
  for (let i = 0; i < SENT; i++) {
    const { gains } = channel.apply(words[i % labels]!, { random, position: i * k }, air);
    // Matched to the gain: the word with the largest correlation, for all have the same energy.
    const [re, im] = gains as [number, number];
    const scores = words.map((word) => {
      let sum = 0;
      for (let s = 0; s < 2 * k; s += 2) {
        sum += word[s]! * (re * air[s]! + im * air[s + 1]!) + word[s + 1]! * (re * air[s + 1]! - im * air[s]!);
      }
      return sum;
    });
    if (scores.indexOf(Math.max(...scores)) === i % labels) right++;
  }
  return right / SENT;
}

/**
 * Unit vectors that lower the sum over pairs of the chance to be taken for each other: exp(-E/N0 d^2/4), or its mean over
 * Rayleigh fading, 1/(1 + E/N0 d^2/4).
 */
function sphericalCode(channel: string, energy: number, dimensions: number, labels: number): number[][] {
  const random = new LinkRandom(1n, `code:${dimensions}:${labels}`);
  const numbers = new Float64Array(2 * Math.ceil((labels * dimensions) / 2));
  const slope = energy / 4;
  const chance = (d2: number) => (channel === 'awgn' ? Math.exp(-slope * d2) : 1 / (1 + slope * d2));
  const derivative = (p: number) => (channel === 'awgn' ? -slope * p : -slope * p * p);
  let best: { words: number[][]; sum: number } | undefined;
  for (let start = 0; start < 8; start++) {
    random.complexNormals(0, start * numbers.length, numbers.length / 2, numbers);
    let words = Array.from({ length: labels }, (_, i) =>
      unit([...numbers.subarray(i * dimensions, (i + 1) * dimensions)]),
    );
    let sum = 0;
    for (let step = 0; step < 400; step++) {
      sum = 0;
      const forces = words.map((a, i) => {
        const force = new Array<number>(dimensions).fill(0);
        words.forEach((b, j) => {
          if (i === j) return;
          const p = chance(a.reduce((d2, x, at) => d2 + (x - b[at]!) ** 2, 0));
          sum += p;
          for (let at = 0; at < dimensions; at++) force[at]! -= derivative(p) * (a[at]! - b[at]!);
        });
        return force;
      });
      // The largest force moves its word by a share of its length that falls to nothing.
      const largest = Math.max(...forces.map((force) => Math.hypot(...force)));
      const rate = (0.3 * (1 - step / 400)) / Math.max(largest, 1e-300);
      words = words.map((word, i) => unit(word.map((x, at) => x + rate * forces[i]![at]!)));
    }
    if (!best || sum < best.sum) best = { words, sum };
  }
  return best!.words;
}

function unit(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}
