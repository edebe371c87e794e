import { describe, expect, it } from 'vitest';
import { LinkRandom } from '../../../shared/channel/link-random.js';
import { Code } from '../../../shared/rpc/errors.js';
import { type AirSettings, checkAir, defaultAir, takeAir } from './air-time.js';
import { budgetSnrDb } from './link-budget.js';

const newLink = (id = 'a') => ({ random: new LinkRandom(1n, id), air: { freeAtMs: 0, lastArrivalMs: 0 } });
const live: AirSettings = { ...defaultAir, realTime: true, symbolRateHz: 64_000 };

describe('time on the air', () => {
  it('is k over the symbol rate, and only reported unless in real time', () => {
    const link = newLink();
    const settings = { ...defaultAir, symbolRateHz: 2_000, propagationDelayMs: 3, processingDelayMs: 4 };
    for (let i = 0; i < 3; i++) {
      expect(takeAir(settings, link, 64, 64 * i, 100)).toEqual({
        airMs: 32,
        waitMs: 0,
        delayMs: 7,
        arrivesAtMs: undefined,
      });
    }
    expect(link.air.freeAtMs).toBe(0);
  });

  it('puts frames of a link one after the other, and other links beside them', () => {
    const [a, b] = [newLink('a'), newLink('b')];
    const settings = { ...live, propagationDelayMs: 10 };
    // 64 symbols at 64,000 a second: 1 ms.
    expect(takeAir(settings, a, 64, 0, 100)).toEqual({ airMs: 1, waitMs: 0, delayMs: 10, arrivesAtMs: 111 });
    expect(takeAir(settings, a, 128, 64, 100)).toMatchObject({ waitMs: 1, airMs: 2, arrivesAtMs: 113 });
    expect(takeAir(settings, b, 64, 0, 100)).toMatchObject({ waitMs: 0, arrivesAtMs: 111 });
    // The air has been free for a while.
    expect(takeAir(settings, a, 64, 192, 200)).toMatchObject({ waitMs: 0, arrivesAtMs: 211 });
  });

  it('draws jitter from the link and the position alone, uniform up to its bound', () => {
    const settings = { ...defaultAir, jitterMs: 8 };
    const delays = Array.from({ length: 4000 }, (_, i) => takeAir(settings, newLink(), 1, i, 0).delayMs);
    const again = Array.from(
      { length: 4000 },
      (_, i) => takeAir(settings, newLink(), 1, 3999 - i, 5).delayMs,
    ).reverse();
    expect(again).toEqual(delays);
    expect(Math.max(...delays)).toBeLessThan(8);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    // Kolmogorov-Smirnov against the uniform law at 1 %: 1.63 / sqrt(n).
    const sorted = [...delays].sort((x, y) => x - y);
    const distance = Math.max(...sorted.map((d, i) => Math.abs(d / 8 - (i + 0.5) / sorted.length)));
    expect(distance).toBeLessThan(1.63 / Math.sqrt(4000));
    expect(delays).not.toEqual(
      Array.from({ length: 4000 }, (_, i) => takeAir(settings, newLink('b'), 1, i, 0).delayMs),
    );
  });

  it('keeps the order of a link under jitter, unless frames may overtake', () => {
    const arrivals = (settings: AirSettings) => {
      const link = newLink();
      return Array.from({ length: 200 }, (_, i) => takeAir(settings, link, 64, 64 * i, 100).arrivesAtMs!);
    };
    const isSorted = (times: number[]) => times.every((time, i) => i === 0 || time >= times[i - 1]!);
    const jittery = { ...live, jitterMs: 20 };
    expect(isSorted(arrivals(jittery))).toBe(true);
    expect(isSorted(arrivals({ ...jittery, reorder: true }))).toBe(false);
  });

  it('refuses a frame that would wait too long, and the air is as it was', () => {
    const link = newLink();
    const settings = { ...live, maxWaitMs: 5 };
    for (let i = 0; i < 6; i++) takeAir(settings, link, 64, 64 * i, 100);
    const before = { ...link.air };
    expect(() => takeAir(settings, link, 64, 384, 100)).toThrow(
      expect.objectContaining({
        code: Code.RESOURCE_EXHAUSTED,
        message:
          'the air of the link is taken for another 6.0 ms, and a frame may wait 5; send at most 64000 symbols a second, or raise air.maxWaitMs',
      }),
    );
    expect(link.air).toEqual(before);
    expect(takeAir(settings, link, 64, 384, 101).waitMs).toBe(5);
  });

  it.each<[Partial<Record<keyof AirSettings, unknown>>, string]>([
    [{ symbolRateHz: 0 }, 'air.symbolRateHz is 0; use a number of 1 to 1000000000000 symbols a second'],
    [{ symbolRateHz: Number.NaN }, 'air.symbolRateHz is NaN'],
    [{ symbolRateHz: '5' }, 'air.symbolRateHz is "5"'],
    [{ propagationDelayMs: -1 }, 'air.propagationDelayMs is -1; use a number of 0 to 3600000 ms'],
    [{ processingDelayMs: Number.POSITIVE_INFINITY }, 'air.processingDelayMs is Infinity'],
    [{ jitterMs: 4e6 }, 'air.jitterMs is 4000000'],
    [{ maxWaitMs: 0 }, 'air.maxWaitMs is 0'],
    [{ realTime: 1 }, 'air.realTime is 1; use true or false'],
  ])('refuses %o', (change, message) => {
    expect(() => checkAir({ ...defaultAir, ...change } as AirSettings)).toThrow(message);
  });
});

describe('a link budget', () => {
  it('is power less path loss less noise floor', () => {
    // 20 dBm, 110 dB, 1 MHz at 290 K with a noise figure of 7 dB: -174 + 60 + 7 = -107 dBm.
    expect(budgetSnrDb({ transmitPowerDbm: 20, pathLossDb: 110, noiseFloorDbm: -107 })).toBe(17);
  });

  it.each([
    [
      { transmitPowerDbm: 20, pathLossDb: 20, noiseFloorDbm: -107 },
      'dBm) is 107; choose power, path loss and noise floor',
    ],
    [
      { transmitPowerDbm: 101, pathLossDb: 20, noiseFloorDbm: 50 },
      'budget.transmitPowerDbm is 101; use a number of -100',
    ],
    [{ transmitPowerDbm: 0, pathLossDb: Number.NaN, noiseFloorDbm: 0 }, 'budget.pathLossDb is NaN'],
    [{ transmitPowerDbm: 0, pathLossDb: 90 }, 'budget.noiseFloorDbm is undefined'],
  ])('refuses %o', (budget, message) => {
    expect(() => budgetSnrDb(budget as Parameters<typeof budgetSnrDb>[0])).toThrow(message);
  });
});
