import { describe, expect, it } from 'vitest';
import { type ChannelSettings, createChannelModel } from './channel-config.js';
import { DopplerPaths } from './doppler-paths.js';
import { besselJ0, correlation, link, ones, send } from './statistics.fixture.js';

const symbolRateHz = 1e6;

/**
 * E h(t + tau) conj(h(t)) over links and time, from frames of `frame` symbols that follow each other.
 * @param lags in symbols
 */
function autocorrelation(settings: ChannelSettings, lags: number[], links: number, symbols: number, frame: number) {
  const model = createChannelModel(settings);
  const sums = lags.map(() => ({ re: 0, im: 0 }));
  for (let l = 0; l < links; l++) {
    const { gains } = send(model, ones(symbols), frame, link(`doppler-${l}`));
    for (const [i, lag] of lags.entries()) {
      const { re, im } = correlation(gains, lag);
      sums[i]!.re += re / links;
      sums[i]!.im += im / links;
    }
  }
  return sums;
}

// fd tau of 0 to 3.2 cycles: twenty radians, seven zeros of J0.
const dopplerHz = 20_000;
const lags = [0, 1, 2, 5, 10, 15, 19, 27, 35, 44, 50, 69, 83, 100, 128, 160];

describe('the autocorrelation of jakes', () => {
  it.each([50, 64, 3000])('is J0(2 pi fd tau), within a frame and over frames of %i symbols', (frame) => {
    const measured = autocorrelation({ model: 'jakes', snrDb: 60, dopplerHz }, lags, 50, 6_000, frame);
    for (const [i, lag] of lags.entries()) {
      const expected = besselJ0((2 * Math.PI * dopplerHz * lag) / symbolRateHz);
      expect(Math.abs(measured[i]!.re - expected)).toBeLessThan(0.03);
      expect(Math.abs(measured[i]!.im)).toBeLessThan(0.03);
    }
  });

  it.each([0, 6])('is (J0(2 pi fd tau) + K exp(j 2 pi 0.7 fd tau)) / (K + 1) with K = %i dB', (kFactorDb) => {
    const measured = autocorrelation({ model: 'jakes', snrDb: 60, dopplerHz, kFactorDb }, lags, 50, 6_000, 64);
    const k = 10 ** (kFactorDb / 10);
    for (const [i, lag] of lags.entries()) {
      const turns = (dopplerHz * lag) / symbolRateHz;
      const re = (besselJ0(2 * Math.PI * turns) + k * Math.cos(2 * Math.PI * 0.7 * turns)) / (k + 1);
      const im = (k * Math.sin(2 * Math.PI * 0.7 * turns)) / (k + 1);
      expect(Math.hypot(measured[i]!.re - re, measured[i]!.im - im)).toBeLessThan(0.03);
    }
  });

  it('goes with the symbol rate', () => {
    const settings = { model: 'jakes', snrDb: 60, dopplerHz: 2_000, symbolRateHz: 1e5 } as const;
    const measured = autocorrelation(settings, lags, 50, 6_000, 100);
    for (const [i, lag] of lags.entries()) {
      expect(Math.abs(measured[i]!.re - besselJ0((2 * Math.PI * 2_000 * lag) / 1e5))).toBeLessThan(0.03);
    }
  });

  it('is 1 for all time without Doppler', () => {
    const { gains } = send(createChannelModel({ model: 'jakes', snrDb: 60, dopplerHz: 0 }), ones(100), 10);
    for (let i = 0; i < 100; i++) expect(gains[2 * i]).toBeCloseTo(gains[0]!, 6);
  });
});

describe('DopplerPaths', () => {
  const at = (paths: DopplerPaths, position: number, random = link()) => {
    const out = new Float64Array(2 * paths.count);
    paths.at({ random, position }, position, out);
    return [...out];
  };

  it('gives the same gains by whatever way a position is reached', () => {
    const one = new DopplerPaths(3, 12_345, symbolRateHz, { kFactor: 5, dopplerHz: 700 });
    const random = link();
    const far = 2 ** 52 + 12_345;
    const wanted = [0, 5, 1_000, 17, far, 3, 999, 1_001, far + 1].map((position) => [
      position,
      at(one, position, random),
    ]);
    for (const [position, gains] of wanted) {
      const fresh = new DopplerPaths(3, 12_345, symbolRateHz, { kFactor: 5, dopplerHz: 700 });
      expect(at(fresh, position as number)).toEqual(gains);
    }
  });

  it('interpolates what a direct sum gives, to 1e-4', () => {
    // Half a grid step more Doppler has another grid: values off both grids agree where the paths are the same.
    const slow = new DopplerPaths(1, 0.9 * (symbolRateHz / 32 / 16), symbolRateHz);
    for (let position = 0; position < 200; position++) {
      const [re, im] = at(slow, position);
      const [before] = at(slow, Math.max(0, position - 1));
      // No jumps: at most 2 pi fd of the largest amplitude, sqrt(33), a symbol.
      if (position > 0) expect(Math.abs(re! - before!)).toBeLessThan(2 * Math.PI * 0.0018 * Math.sqrt(33));
      expect(Number.isFinite(im)).toBe(true);
    }
  });

  it('has paths that are independent of each other', () => {
    const paths = new DopplerPaths(4, 1e5, symbolRateHz);
    const sums = new Float64Array(6);
    const count = 4000;
    for (let i = 0; i < count; i++) {
      const h = at(paths, 0, link(`path-${i}`));
      let pair = 0;
      for (let a = 0; a < 4; a++) {
        for (let b = a + 1; b < 4; b++) sums[pair++]! += h[2 * a]! * h[2 * b]! + h[2 * a + 1]! * h[2 * b + 1]!;
      }
    }
    // Each product has variance 1/2.
    for (const sum of sums) expect(Math.abs(sum / count)).toBeLessThan(4.5 * Math.sqrt(0.5 / count));
  });
});
