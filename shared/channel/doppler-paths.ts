import { LinkCache } from './link-cache.js';
import { type LinkRandom, Purpose } from './link-random.js';
import type { LinkState } from './model.js';
import type { PathGains } from './path-gains.js';
import {
  cosineOfTurns,
  cosines,
  entriesPerUnit,
  entryRadians,
  sines,
  unitsOf,
  unitsPerTurn,
  unitsTimes,
} from './turns.js';

/** Sinusoids of one path. Odd, so that none has the opposite frequency of another, which would make h improper. */
const sinusoids = 33;
/** Most Doppler cycles from one grid point to the next: interpolation is then good to 4e-5. */
const cyclesPerStep = 1 / 32;
const greatestStep = 2 ** 20;
/** Bytes of sinusoids that are remembered. */
const cacheBytes = 32 * 2 ** 20;
const points = 4;

/** A constant-amplitude ray in path 0. */
export interface LineOfSight {
  /** Power of the ray over the power of all else in path 0, linear. */
  kFactor: number;
  /** Its Doppler shift, Hz. */
  dopplerHz: number;
}

/** Sinusoids of one link and their sum at four grid points. */
interface LinkPaths {
  /** Units of 2^-48 turns a grid step, and at grid point `next`. */
  readonly steps: Float64Array;
  readonly phases: Float64Array;
  /** Path gains at grid point n at (n mod 4). */
  readonly ring: Float64Array;
  /** First grid point that has not been worked out; the four before it are in the ring. */
  next: number;
}

/**
 * Paths with Clarke's Doppler spectrum: h_l(t) = M^-1/2 sum_m exp(j (2 pi fd cos(a_m) t + phi_m)), arrivals a_m evenly
 * around the circle from a random start, phases phi_m independent and uniform, M = 33. E|h_l|^2 = 1 over links and,
 * for fd > 0, over time; E h(t + tau) conj(h(t)) = J0(2 pi fd tau) over links, and over time on each link for 2 pi fd tau
 * up to M. Clarke, Bell Syst. Tech. J. 47 (1968); sums of sinusoids as in Pätzold, "Mobile Radio Channels" (2011), ch. 5.
 *
 * With a line of sight path 0 is sqrt(K/(K+1)) exp(j (2 pi f t + phi)) + sqrt(1/(K+1)) of the above.
 *
 * Sums are worked out on a grid of 2^g symbols of the link's time (at most 1/32 of a Doppler cycle) and interpolated by
 * third-order Lagrange polynomials; phases on the grid are whole numbers, so the value at a position does not depend
 * on how one got there.
 */
export class DopplerPaths implements PathGains {
  readonly count: number;
  readonly smoothSymbols: number;
  /** Symbols from one grid point to the next, a power of two. */
  readonly #step: number;
  readonly #dopplerTurns: number;
  readonly #lineOfSight: LineOfSight | undefined;
  readonly #lineOfSightTurns: number;
  readonly #cache: LinkCache<LinkPaths>;

  /** `dopplerHz`: 0 to half of `symbolRateHz`. `count`: paths, independent of each other. */
  constructor(count: number, dopplerHz: number, symbolRateHz: number, lineOfSight?: LineOfSight) {
    this.count = count;
    let step = 1;
    const doppler = dopplerHz / symbolRateHz;
    while (2 * step * doppler <= cyclesPerStep && step < greatestStep) step *= 2;
    this.#step = step;
    this.smoothSymbols = Math.max(1, Math.min(step / 4, 64));
    this.#dopplerTurns = doppler * step;
    this.#lineOfSight = lineOfSight;
    this.#lineOfSightTurns = lineOfSight ? (lineOfSight.dopplerHz / symbolRateHz) * step : 0;
    const bytes = 8 * (2 * count * (sinusoids + 1) + 2 * points * count) + 500;
    this.#cache = new LinkCache(Math.max(2, Math.floor(cacheBytes / bytes)), (random) => this.#sinusoids(random));
  }

  at(link: LinkState, position: number, out: Float64Array): void {
    const paths = this.#cache.of(link.random);
    const cell = Math.floor(position / this.#step);
    this.#fill(paths, cell);
    const u = (position - cell * this.#step) / this.#step;
    const { ring } = paths;
    const width = 2 * this.count;
    const [r0, r1, r2, r3] = ringOffsets(cell, width);
    const a = (-u * (u - 1) * (u - 2)) / 6;
    const b = ((u + 1) * (u - 1) * (u - 2)) / 2;
    const c = (-(u + 1) * u * (u - 2)) / 2;
    const d = ((u + 1) * u * (u - 1)) / 6;
    for (let i = 0; i < width; i++) {
      out[i] = a * ring[r0 + i]! + b * ring[r1 + i]! + c * ring[r2 + i]! + d * ring[r3 + i]!;
    }
  }

  /** Works out grid points cell to cell + 3, which stand for the times (cell - 1 .. cell + 2) steps. */
  #fill(paths: LinkPaths, cell: number): void {
    if (paths.next === cell + points) return;
    if (paths.next < cell || paths.next > cell + points) this.#seek(paths, cell);
    while (paths.next < cell + points) this.#advance(paths);
  }

  /** Goes forward or back: phases are whole numbers, so both are exact. */
  #seek(paths: LinkPaths, point: number): void {
    const { phases, steps } = paths;
    const distance = Math.abs(point - paths.next);
    for (let i = 0; i < phases.length; i++) {
      const turned = unitsTimes(steps[i]!, distance);
      const moved = point > paths.next ? phases[i]! + turned : phases[i]! - turned;
      phases[i] = moved >= unitsPerTurn ? moved - unitsPerTurn : moved < 0 ? moved + unitsPerTurn : moved;
    }
    paths.next = point;
  }

  #advance(paths: LinkPaths): void {
    const { phases, steps, ring } = paths;
    const base = (paths.next % points) * 2 * this.count;
    const scatter = 1 / Math.sqrt(sinusoids);
    const cosineTable = cosines;
    const sineTable = sines;
    const perUnit = entriesPerUnit;
    const radians = entryRadians;
    const turn = unitsPerTurn;
    for (let path = 0; path < this.count; path++) {
      const from = path * (sinusoids + 1);
      let re = 0;
      let im = 0;
      for (let i = from; i < from + sinusoids; i++) {
        const phase = phases[i]!;
        const x = phase * perUnit;
        const entry = x | 0;
        const d = (x - entry) * radians;
        const c = cosineTable[entry]!;
        const s = sineTable[entry]!;
        re += c - d * (s + 0.5 * d * c);
        im += s + d * (c - 0.5 * d * s);
        const moved = phase + steps[i]!;
        phases[i] = moved >= turn ? moved - turn : moved;
      }
      ring[base + 2 * path] = re * scatter;
      ring[base + 2 * path + 1] = im * scatter;
    }
    if (this.#lineOfSight) this.#addLineOfSight(phases, steps, ring, base);
    paths.next++;
  }

  #addLineOfSight(phases: Float64Array, steps: Float64Array, ring: Float64Array, base: number): void {
    const { kFactor } = this.#lineOfSight!;
    const direct = Math.sqrt(kFactor / (kFactor + 1));
    const scattered = Math.sqrt(1 / (kFactor + 1));
    const turns = phases[sinusoids]! / unitsPerTurn;
    ring[base] = scattered * ring[base]! + direct * cosineOfTurns(turns);
    ring[base + 1] = scattered * ring[base + 1]! + direct * cosineOfTurns(turns - 0.25);
    phases[sinusoids] = (phases[sinusoids]! + steps[sinusoids]!) % unitsPerTurn;
  }

  #sinusoids(random: LinkRandom): LinkPaths {
    const stride = sinusoids + 1;
    const drawn = new Float64Array(this.count * stride);
    random.uniforms(Purpose.sinusoids, 0, drawn.length, drawn);
    const steps = new Float64Array(drawn.length);
    const phases = new Float64Array(drawn.length);
    for (let path = 0; path < this.count; path++) {
      const start = drawn[path * stride]!;
      for (let m = 0; m < sinusoids; m++) {
        const i = path * stride + m;
        steps[i] = unitsOf(this.#dopplerTurns * cosineOfTurns((m + start) / sinusoids));
        phases[i] = drawn[i + 1]! * unitsPerTurn;
      }
    }
    if (this.#lineOfSight) {
      const phase = new Float64Array(1);
      random.uniforms(Purpose.lineOfSight, 0, 1, phase);
      steps[sinusoids] = unitsOf(this.#lineOfSightTurns);
      phases[sinusoids] = phase[0]! * unitsPerTurn;
    }
    return { steps, phases, ring: new Float64Array(2 * points * this.count), next: 0 };
  }
}

function ringOffsets(cell: number, width: number): [number, number, number, number] {
  const first = cell % points;
  return [
    first * width,
    ((first + 1) % points) * width,
    ((first + 2) % points) * width,
    ((first + 3) % points) * width,
  ];
}
