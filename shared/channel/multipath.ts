import type { DispersiveFading, FlatFading } from './fading.js';
import type { LinkState } from './model.js';
import type { PathGains } from './path-gains.js';
import { cosineOfTurns } from './turns.js';

/** A path's fixed part: where it arrives and its mean complex amplitude. */
export interface Path {
  /** Delay in symbols (delay times symbol rate), 0 or more, any fraction. */
  delaySymbols: number;
  re: number;
  im: number;
}

/**
 * Multipath under OFDM with N subcarriers over the bandwidth of one symbol rate, and a cyclic prefix no shorter than the
 * channel (its time is not counted): symbol i of the link is subcarrier n = i mod N of OFDM symbol floor(i/N), and sees
 * H_n(t) = sum_l a_l h_l(t) exp(-j 2 pi (n - floor(N/2)) tau_l / N), tau_l in symbols, t the start of its OFDM symbol. So
 * delays are exact, nothing runs into anything, and E|H_n|^2 = sum_l |a_l|^2.
 */
export class OfdmMultipath implements FlatFading {
  readonly #gains: PathGains;
  readonly #subcarriers: number;
  /** a_l exp(-j ...) of each subcarrier and path. */
  readonly #rotations: Float64Array;
  readonly #now: Float64Array;

  constructor(gains: PathGains, paths: readonly Path[], subcarriers: number) {
    this.#gains = gains;
    this.#subcarriers = subcarriers;
    this.#now = new Float64Array(2 * gains.count);
    this.#rotations = new Float64Array(2 * subcarriers * paths.length);
    for (let n = 0, at = 0; n < subcarriers; n++) {
      for (const { delaySymbols, re, im } of paths) {
        const turns = ((n - Math.floor(subcarriers / 2)) * delaySymbols) / subcarriers;
        const c = cosineOfTurns(turns);
        const s = -cosineOfTurns(turns - 0.25);
        this.#rotations[at++] = re * c - im * s;
        this.#rotations[at++] = re * s + im * c;
      }
    }
  }

  fade(link: LinkState, k: number, gains: Float32Array): void {
    const n = this.#subcarriers;
    const rotations = this.#rotations;
    const now = this.#now;
    const width = now.length;
    let subcarrier = link.position % n;
    this.#gains.at(link, link.position - subcarrier, now);
    for (let i = 0; i < k; i++) {
      if (subcarrier === n) {
        subcarrier = 0;
        this.#gains.at(link, link.position + i, now);
      }
      let re = 0;
      let im = 0;
      const from = subcarrier * width;
      for (let l = 0; l < width; l += 2) {
        const hRe = now[l]!;
        const hIm = now[l + 1]!;
        const rRe = rotations[from + l]!;
        const rIm = rotations[from + l + 1]!;
        re += hRe * rRe - hIm * rIm;
        im += hRe * rIm + hIm * rRe;
      }
      gains[2 * i] = re;
      gains[2 * i + 1] = im;
      subcarrier++;
    }
  }
}

/** Symbols to each side that a path between two symbol times is spread over. */
const halfWidth = 10;

/**
 * Multipath in the time domain: y_i = sum_d g_d(t_i) x_(i-d), with x the symbols of the frame and 0 outside it (frames
 * are a guard interval apart, and what rings on after the last symbol is not handed on).
 *
 * g_d = sum_l a_l h_l w(d - tau_l), w the sinc of band-limited interpolation under a Hann window of 10 symbols to each
 * side, scaled to energy 1 so that the mean power of y is that of white x away from the frame's ends. Time is counted from the
 * path with the largest mean power: the receiver is synchronised to it, earlier paths are precursors. Between two
 * times `smoothSymbols` apart g is a straight line.
 */
export class TimeDomainMultipath implements DispersiveFading {
  readonly #gains: PathGains;
  /** Distance in symbols of each tap from the strongest one. */
  readonly #lags: Int32Array;
  /** Weights, re, im, of each tap and path. */
  readonly #weights: Float64Array;
  readonly #paths: number;
  readonly #main: number;
  readonly #now: Float64Array;
  #from: Float64Array;
  #to: Float64Array;

  constructor(gains: PathGains, paths: readonly Path[]) {
    this.#gains = gains;
    this.#paths = paths.length;
    const taps = tapsOf(paths);
    const power = (path: number) => paths[path]!.re ** 2 + paths[path]!.im ** 2;
    const strongest = paths.reduce((best, _, path) => (power(path) > power(best) ? path : best), 0);
    const main = Math.round(paths[strongest]!.delaySymbols);
    const lags = [...taps.keys()].sort((a, b) => a - b);
    this.#lags = Int32Array.from(lags, (lag) => lag - main);
    this.#main = lags.indexOf(main);
    this.#weights = new Float64Array(2 * lags.length * paths.length);
    for (const [i, lag] of lags.entries()) {
      for (const [path, weight] of taps.get(lag)!) {
        const at = 2 * (i * paths.length + path);
        this.#weights[at] = weight * paths[path]!.re;
        this.#weights[at + 1] = weight * paths[path]!.im;
      }
    }
    this.#now = new Float64Array(2 * gains.count);
    this.#from = new Float64Array(2 * lags.length);
    this.#to = new Float64Array(2 * lags.length);
  }

  /** Symbols from the strongest tap to each tap. */
  get lags(): readonly number[] {
    return [...this.#lags];
  }

  disperse(symbols: Float32Array, link: LinkState, gains: Float32Array): void {
    const k = symbols.length / 2;
    const sent = symbols.slice();
    const step = this.#gains.smoothSymbols;
    const lags = this.#lags;
    let cell = Math.floor(link.position / step);
    this.#tapsAt(link, cell * step, this.#from);
    this.#tapsAt(link, (cell + 1) * step, this.#to);
    for (let i = 0; i < k; i++) {
      if (link.position + i >= (cell + 1) * step) {
        cell++;
        [this.#from, this.#to] = [this.#to, this.#from];
        this.#tapsAt(link, (cell + 1) * step, this.#to);
      }
      const u = (link.position + i - cell * step) / step;
      const from = this.#from;
      const to = this.#to;
      let re = 0;
      let im = 0;
      for (let d = 0; d < lags.length; d++) {
        const source = i - lags[d]!;
        if (source < 0 || source >= k) continue;
        const gRe = from[2 * d]! + u * (to[2 * d]! - from[2 * d]!);
        const gIm = from[2 * d + 1]! + u * (to[2 * d + 1]! - from[2 * d + 1]!);
        const sRe = sent[2 * source]!;
        const sIm = sent[2 * source + 1]!;
        re += gRe * sRe - gIm * sIm;
        im += gRe * sIm + gIm * sRe;
      }
      symbols[2 * i] = re;
      symbols[2 * i + 1] = im;
      const m = 2 * this.#main;
      gains[2 * i] = from[m]! + u * (to[m]! - from[m]!);
      gains[2 * i + 1] = from[m + 1]! + u * (to[m + 1]! - from[m + 1]!);
    }
  }

  #tapsAt(link: LinkState, position: number, out: Float64Array): void {
    const now = this.#now;
    this.#gains.at(link, position, now);
    const weights = this.#weights;
    for (let d = 0, at = 0; 2 * d < out.length; d++) {
      let re = 0;
      let im = 0;
      for (let l = 0; l < this.#paths; l++, at += 2) {
        const wRe = weights[at]!;
        const wIm = weights[at + 1]!;
        const hRe = now[2 * l]!;
        const hIm = now[2 * l + 1]!;
        re += wRe * hRe - wIm * hIm;
        im += wRe * hIm + wIm * hRe;
      }
      out[2 * d] = re;
      out[2 * d + 1] = im;
    }
  }
}

/** Tap number to the paths that fall on it with their weights. */
function tapsOf(paths: readonly Path[]): Map<number, Map<number, number>> {
  const taps = new Map<number, Map<number, number>>();
  for (const [path, { delaySymbols }] of paths.entries()) {
    const weights = new Map<number, number>();
    let energy = 0;
    const nearest = Math.floor(delaySymbols);
    for (let lag = nearest - halfWidth + 1; lag <= nearest + halfWidth; lag++) {
      const weight = windowedSinc(lag - delaySymbols);
      if (weight === 0) continue;
      weights.set(lag, weight);
      energy += weight * weight;
    }
    for (const [lag, weight] of weights) {
      if (!taps.has(lag)) taps.set(lag, new Map());
      taps.get(lag)!.set(path, weight / Math.sqrt(energy));
    }
  }
  return taps;
}

function windowedSinc(x: number): number {
  if (x === 0) return 1;
  if (Number.isInteger(x) || Math.abs(x) >= halfWidth) return 0;
  const sinc = cosineOfTurns(x / 2 - 0.25) / (Math.PI * x);
  return sinc * 0.5 * (1 + cosineOfTurns(x / (2 * halfWidth)));
}
