import { describe, expect, it } from 'vitest';
import { LinkRandom } from '../../../shared/channel/link-random.js';
import type { PilotSettings } from './feedback-settings.js';
import { estimateFrom } from './pilot-estimate.js';

const random = new LinkRandom(11n, 'pilots');
const noisePower = 0.1;
const draws = 20_000;

/** Estimates of one block with gain h = 0.6 + 0.8i, at so many positions. */
function estimates(pilots: PilotSettings, gains = [0.6, 0.8], k = 32) {
  const blockSymbols = (2 * k) / gains.length;
  return Array.from({ length: draws }, (_, i) =>
    estimateFrom(pilots, { gains, blockSymbols, noisePower }, { random, position: k * i }, k),
  );
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const power = (dB: number) => 10 ** (dB / 10);

describe('the pilot estimate', () => {
  it.each([
    [1, 0],
    [4, 0],
    [4, 6],
    [64, -3],
  ])('with %i pilots of %i dB errs by a complex normal of variance N0 / (P p)', (count, powerDb) => {
    const variance = noisePower / (count * power(powerDb));
    const all = estimates({ count, powerDb, equalise: true });
    for (const part of [0, 1]) {
      const errors = all.map(({ gains }) => gains[part]! - [0.6, 0.8][part]!);
      // Four standard errors of a mean, and of a mean square of normals.
      expect(Math.abs(mean(errors))).toBeLessThan(4 * Math.sqrt(variance / 2 / draws));
      const square = mean(errors.map((error) => error * error));
      expect(Math.abs(square / (variance / 2) - 1)).toBeLessThan(4 * Math.sqrt(2 / draws));
    }
    expect(all[0]!.errorVariance).toBeCloseTo(variance, 12);
  });

  it.each([2, 5, 17, 33, 34, 200])('with %i pilots shows a noise power of chi-square law', (count) => {
    const ratio = estimates({ count, powerDb: 0, equalise: false }).map(({ snrDb }) => power(-snrDb) / noisePower);
    const degrees = 2 * (count - 1);
    expect(Math.abs(mean(ratio) - 1)).toBeLessThan(4 * Math.sqrt(2 / degrees / draws) + 1e-3);
    const variance = mean(ratio.map((r) => (r - 1) ** 2));
    // The kurtosis of chi-square is 3 + 12/d.
    expect(Math.abs(variance / (2 / degrees) - 1)).toBeLessThan(4 * Math.sqrt((2 + 12 / degrees) / draws) + 5e-3);
  });

  it('with one pilot knows N0, and sees |h|^2 raised by its own error', () => {
    const all = estimates({ count: 1, powerDb: 0, equalise: false });
    expect(new Set(all.map(({ snrDb }) => snrDb.toFixed(9)))).toEqual(new Set([(10).toFixed(9)]));
    const gain = all.map(({ instantaneousSnrDb }) => power(instantaneousSnrDb) * noisePower);
    // |h + e|^2: mean 1 + v, variance 2 v + v^2.
    const v = noisePower;
    expect(Math.abs(mean(gain) - (1 + v))).toBeLessThan(4 * Math.sqrt((2 * v + v * v) / draws));
    expect(all.every(({ gains }) => gains.length === 0)).toBe(true);
  });

  it('weighs the blocks of a frame by their lengths', () => {
    // 8 + 8 + 4 symbols; many strong pilots, so that the estimate is the truth.
    const gains = [1, 0, 0, 2, 3, 0];
    const effect = { gains, blockSymbols: 8, noisePower: 1e-3 };
    const { instantaneousSnrDb } = estimateFrom(
      { count: 65_536, powerDb: 30, equalise: true },
      effect,
      { random, position: 0 },
      20,
    );
    expect(instantaneousSnrDb).toBeCloseTo(10 * Math.log10((8 * 1 + 8 * 4 + 4 * 9) / 20 / 1e-3), 1);
  });

  it('follows from seed, link and position alone', () => {
    const pilots = { count: 3, powerDb: 0, equalise: true };
    const effect = { gains: [1, 0], blockSymbols: 8, noisePower };
    const at = (seed: bigint, id: string, position: number) =>
      estimateFrom(pilots, effect, { random: new LinkRandom(seed, id), position }, 8);
    expect(at(1n, 'a', 80)).toEqual(at(1n, 'a', 80));
    expect(at(1n, 'a', 80)).not.toEqual(at(1n, 'a', 88));
    expect(at(1n, 'a', 80)).not.toEqual(at(2n, 'a', 80));
    expect(at(1n, 'a', 80)).not.toEqual(at(1n, 'b', 80));
  });
});
