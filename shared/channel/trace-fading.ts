import { invalidArgument } from '../rpc/errors.js';
import type { TraceInterpolation } from './channel-settings.js';
import type { FlatFading } from './fading.js';
import type { LinkState } from './model.js';
import type { Trace } from './trace.js';

/** SNR in dB of a value 10^(SNR/10). */
const decibels = (power: number) => 10 * Math.log10(power);

/**
 * Fading replayed from a trace. Time on the air t = position / symbol rate is time after the trace's first point. With
 * `loop` the trace is repeated: its last point lasts as long as the mean interval between points, and with linear
 * interpolation leads back to the first. Without, the last value stays.
 *
 * Gains are scaled so that the mean of |h|^2 over the trace's duration, as interpolated, is 1: exactly so over whole
 * rounds of a loop. A trace of SNR becomes real gains around its own mean SNR, `meanSnrDb`, which takes the place of the
 * link's: |h|^2 / N0 at any time is what the trace says. SNR is interpolated in dB, complex gains in re and im.
 */
export class TraceFading implements FlatFading {
  /** Mean of the SNR, linear, over time, in dB; undefined for a trace of gains. */
  readonly meanSnrDb: number | undefined;
  readonly #times: Float64Array;
  /** re, im of each point for gains, dB for SNR; with the first point once more at the end of a loop. */
  readonly #values: Float64Array;
  readonly #isSnr: boolean;
  readonly #scale: number;
  readonly #hold: boolean;
  readonly #loop: boolean;
  readonly #symbolRateHz: number;

  /**
   * @param trace as `checkTrace` has let pass
   * @throws SemlinkError INVALID_ARGUMENT when all of its power lies after its end
   */
  constructor(trace: Trace, interpolation: TraceInterpolation, loop: boolean, symbolRateHz: number) {
    const points = trace.timesSeconds.length;
    this.#isSnr = trace.kind === 'snr';
    this.#hold = interpolation === 'previous';
    this.#loop = loop && points > 1;
    this.#symbolRateHz = symbolRateHz;
    const start = trace.timesSeconds[0]!;
    const times = Array.from(trace.timesSeconds, (time) => time - start);
    const values = Array.from(trace.values);
    if (this.#loop) {
      times.push((times.at(-1)! * points) / (points - 1));
      values.push(...values.slice(0, this.#isSnr ? 1 : 2));
    }
    this.#times = Float64Array.from(times);
    this.#values = Float64Array.from(values);
    const mean = this.#meanPower();
    if (!(mean > 0)) throw invalidArgument('mean power of the trace', mean, 'gains must not be 0 for all of its time');
    this.meanSnrDb = this.#isSnr ? decibels(mean) : undefined;
    this.#scale = 1 / Math.sqrt(mean);
  }

  fade(link: LinkState, k: number, gains: Float32Array): void {
    const times = this.#times;
    const values = this.#values;
    const last = times.length - 1;
    const duration = times[last]!;
    let point = -1;
    for (let i = 0; i < k; i++) {
      let time = (link.position + i) / this.#symbolRateHz;
      if (this.#loop) time %= duration;
      if (point < 0 || times[point]! > time) point = this.#pointAt(time);
      while (point < last && times[point + 1]! <= time) point++;
      const next = this.#hold || point === last ? point : point + 1;
      const u = next === point ? 0 : (time - times[point]!) / (times[next]! - times[point]!);
      if (this.#isSnr) {
        const snrDb = values[point]! + u * (values[next]! - values[point]!);
        gains[2 * i] = this.#scale * 10 ** (snrDb / 20);
        gains[2 * i + 1] = 0;
      } else {
        gains[2 * i] = this.#scale * (values[2 * point]! + u * (values[2 * next]! - values[2 * point]!));
        gains[2 * i + 1] =
          this.#scale * (values[2 * point + 1]! + u * (values[2 * next + 1]! - values[2 * point + 1]!));
      }
    }
  }

  /** The last point at or before a time. */
  #pointAt(time: number): number {
    let low = 0;
    let high = this.#times.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#times[middle]! <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Mean over time of |h|^2, or of 10^(SNR/10), before scaling. */
  #meanPower(): number {
    const times = this.#times;
    if (times.length === 1) return this.#power(0, 0);
    let sum = 0;
    for (let i = 0; i + 1 < times.length; i++) sum += this.#power(i, i + 1) * (times[i + 1]! - times[i]!);
    return sum / times.at(-1)!;
  }

  /** Mean power between two points. */
  #power(from: number, to: number): number {
    const values = this.#values;
    if (this.#isSnr) {
      const a = 10 ** (values[from]! / 10);
      const ratio = (Math.LN10 / 10) * (values[to]! - values[from]!);
      return this.#hold || Math.abs(ratio) < 1e-9 ? a : (a * Math.expm1(ratio)) / ratio;
    }
    const [aRe, aIm, bRe, bIm] = [values[2 * from]!, values[2 * from + 1]!, values[2 * to]!, values[2 * to + 1]!];
    const a = aRe * aRe + aIm * aIm;
    return this.#hold ? a : (a + bRe * bRe + bIm * bIm + aRe * bRe + aIm * bIm) / 3;
  }
}
