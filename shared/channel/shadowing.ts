import { LinkCache } from './link-cache.js';
import { Purpose } from './link-random.js';
import type { LinkState } from './model.js';

/** Grid points over the time in which correlation falls to 1/e. */
const pointsPerDecorrelation = 8;
/** Draws behind a grid point: what is left out of it is e^-8 of its amplitude, 3e-8 of its power. */
const memory = 8 * pointsPerDecorrelation;
/** Amplitudes held between two grid points. */
const stepsPerPoint = 16;
const rememberedLinks = 4096;

interface Cell {
  /** Grid point of `left`; -1: none. */
  point: number;
  left: number;
  right: number;
}

/**
 * Log-normal shadowing: the amplitude is 10^(sigma X(t) / 20) / sqrt(m), X Gaussian with E X^2 = 1, m = exp((sigma ln 10 /
 * 10)^2 / 2), so that the mean *power* is 1 (the median is below 1). E X(t) X(t + tau) = exp(-|tau| / T) on a grid of T/8:
 * Gudmundson, Electronics Letters 27 (1991), distance being time times speed. Between grid points X is interpolated with
 * its variance kept, in 16 steps. T = 0: one X a link for all time.
 */
export class Shadowing {
  readonly #sigmaDb: number;
  readonly #meanPower: number;
  /** Symbols from one grid point to the next; 0: X never changes. */
  readonly #spacing: number;
  /** Symbols over which the amplitude is held. */
  readonly #held: number;
  readonly #correlation: number;
  readonly #weights = new Float64Array(memory);
  readonly #draws = new Float64Array(2 * memory);
  readonly #cache = new LinkCache<Cell>(rememberedLinks, () => ({ point: -1, left: 0, right: 0 }));

  constructor(sigmaDb: number, decorrelationSeconds: number, symbolRateHz: number) {
    this.#sigmaDb = sigmaDb;
    this.#meanPower = Math.exp(((sigmaDb * Math.LN10) / 10) ** 2 / 2);
    const decorrelationSymbols = decorrelationSeconds * symbolRateHz;
    const spacing = Math.max(1, Math.round(decorrelationSymbols / pointsPerDecorrelation));
    this.#spacing = decorrelationSymbols > 0 ? spacing : 0;
    this.#held = Math.max(1, Math.floor(spacing / stepsPerPoint));
    this.#correlation = decorrelationSymbols > 0 ? Math.exp(-spacing / decorrelationSymbols) : 1;
    let energy = 0;
    for (let i = 0; i < memory; i++) {
      this.#weights[i] = this.#correlation ** (memory - 1 - i);
      energy += this.#weights[i]! ** 2;
    }
    for (let i = 0; i < memory; i++) this.#weights[i]! /= Math.sqrt(energy);
  }

  /** Writes the amplitudes of the k symbols at the link's position: binary32 numbers over 0. */
  amplitudes(link: LinkState, k: number, out: Float32Array): void {
    if (this.#spacing === 0) {
      link.random.complexNormals(Purpose.shadowing, 0, 1, this.#draws);
      out.fill(this.#amplitude(this.#draws[0]!), 0, k);
      return;
    }
    for (let i = 0; i < k; ) {
      const position = link.position + i;
      const point = Math.floor(position / this.#spacing);
      const within = position - point * this.#spacing;
      const step = Math.floor(within / this.#held);
      const end = Math.min(k, i + Math.min((step + 1) * this.#held, this.#spacing) - within);
      out.fill(this.#amplitude(this.#between(link, point, (step * this.#held) / this.#spacing)), i, end);
      i = end;
    }
  }

  #amplitude(x: number): number {
    return 10 ** ((this.#sigmaDb * x) / 20) / Math.sqrt(this.#meanPower);
  }

  #between(link: LinkState, point: number, u: number): number {
    const cell = this.#cache.of(link.random);
    if (cell.point !== point) {
      cell.left = cell.point === point - 1 && cell.point >= 0 ? cell.right : this.#at(link, point);
      cell.right = this.#at(link, point + 1);
      cell.point = point;
    }
    const variance = (1 - u) ** 2 + u ** 2 + 2 * u * (1 - u) * this.#correlation;
    return ((1 - u) * cell.left + u * cell.right) / Math.sqrt(variance);
  }

  /** X at a grid point: an exponentially weighted sum of the draws up to it. */
  #at(link: LinkState, point: number): number {
    link.random.complexNormals(Purpose.shadowing, point, memory, this.#draws);
    let sum = 0;
    for (let i = 0; i < memory; i++) sum += this.#weights[i]! * this.#draws[2 * i]!;
    return sum;
  }
}
