import { describe, expect, it } from 'vitest';
import { EarlyStop } from './early-stop.js';

const averageOf = (value: number) => () => Float32Array.of(value);

function seeing(stop: EarlyStop, accuracies: number[], from = 1): EarlyStop {
  accuracies.forEach((accuracy, i) => {
    stop.see(from + i, [accuracy - 0.1, accuracy + 0.1], averageOf(from + i));
  });
  return stop;
}

describe('EarlyStop', () => {
  it('keeps the first of the best looks and stops after as many in vain as it has patience', () => {
    const stop = seeing(new EarlyStop(3), [0.5, 0.7, 0.6, 0.7]);
    expect([stop.best, stop.inVain, stop.reached]).toEqual([
      { accuracy: 0.7, epoch: 2, average: Float32Array.of(2) },
      2,
      false,
    ]);
    expect(seeing(stop, [0.69], 5).reached).toBe(true);
  });

  it('counts anew after a gain', () => {
    const stop = seeing(new EarlyStop(2), [0.5, 0.4, 0.6, 0.5]);
    expect([stop.best!.epoch, stop.inVain, stop.reached]).toEqual([3, 1, false]);
  });

  it('goes on where it stood', () => {
    const before = seeing(new EarlyStop(2), [0.5, 0.4]);
    const after = new EarlyStop(2, { best: before.best!, inVain: before.inVain });
    expect(seeing(after, [0.5], 3).reached).toBe(true);
    expect(after.best!.epoch).toBe(1);
  });

  it('without patience neither stops nor keeps', () => {
    const stop = seeing(new EarlyStop(0), [0.9, 0.1, 0.1, 0.1]);
    expect([stop.best, stop.reached]).toEqual([undefined, false]);
  });
});
