import { invalidArgument } from '../rpc/errors.js';

/** Fading that was measured or computed elsewhere: a value for each of a rising list of times. */
export interface Trace {
  /**
   * `snr`: values are Es/N0 in dB, one a point. `gain`: values are complex gains h, two numbers re, im a point, scaled
   * so that their mean power over time is 1.
   */
  readonly kind: 'snr' | 'gain';
  /** Seconds, rising strictly, the first at least 0; 1 to 10^6 points. */
  readonly timesSeconds: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

export const greatestTracePoints = 1_000_000;

/** @throws SemlinkError INVALID_ARGUMENT naming the first point that is wrong */
export function checkTrace({ kind, timesSeconds, values }: Trace): void {
  const points = timesSeconds.length;
  if (points < 1 || points > greatestTracePoints) {
    throw invalidArgument('number of trace points', points, `use 1 to ${greatestTracePoints}`);
  }
  const width = kind === 'gain' ? 2 : 1;
  if (values.length !== width * points) {
    throw invalidArgument('number of trace values', values.length, `${points} times need ${width * points}`);
  }
  let power = 0;
  for (let i = 0; i < points; i++) {
    const time = timesSeconds[i]!;
    const least = i === 0 ? 0 : timesSeconds[i - 1]!;
    if (!(i === 0 ? time >= 0 : time > least) || time > 1e9) {
      const todo = i === 0 ? 'start at 0 s or later' : `times must rise strictly; the one before is ${least} s`;
      throw invalidArgument(`time of trace point ${i}`, time, todo);
    }
    for (let j = width * i; j < width * (i + 1); j++) {
      const value = values[j]!;
      const most = kind === 'snr' ? 200 : 1e9;
      if (!(Math.abs(value) <= most)) {
        const what = kind === 'snr' ? 'SNR' : j % 2 === 0 ? 're' : 'im';
        throw invalidArgument(`${what} of trace point ${i}`, value, `use a finite number of -${most} to ${most}`);
      }
      power += value * value;
    }
  }
  if (kind === 'gain' && power === 0)
    throw invalidArgument('power of the trace', 0, 'give at least one gain that is not 0');
}
