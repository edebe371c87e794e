import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Calibration, calibratedAccuracy } from './calibration.js';
import { type FedBackState, RateController, type RateControlOptions, type RatePolicy } from './rate-control.js';

const OPTIONS: RateControlOptions = { staleAfterMs: 1000, hysteresisDb: 1, unknownSnrDb: 5 };
const LENGTHS = [2, 4, 8, 16];
const SNR_DB = [-6, 0, 6, 12, 18];
const NOW = 1_700_000_000_000;

const tableOf = (rows: number[][]): Calibration => ({
  images: 5000,
  split: 'held-out',
  snrDb: SNR_DB,
  channelUses: LENGTHS,
  accuracy: { awgn: rows, 'rayleigh-block': rows.map((row) => row.map((accuracy) => accuracy / 2)) },
});
const at = (snrDb: number, measuredAtMs = NOW, channelModel = 'awgn'): FedBackState => ({
  channelModel,
  snrDb,
  measuredAtMs,
});
const controllerOf = (calibration: Calibration, options: Partial<RateControlOptions> = {}) =>
  new RateController({ channelUses: LENGTHS, calibration }, { ...OPTIONS, ...options });

const share = fc.double({ min: 0, max: 1, noNaN: true });
const snr = fc.double({ min: -20, max: 30, noNaN: true });
const rowsOf = (accuracy: fc.Arbitrary<number>) =>
  fc.array(fc.array(accuracy, { minLength: SNR_DB.length, maxLength: SNR_DB.length }), {
    minLength: LENGTHS.length,
    maxLength: LENGTHS.length,
  });
/** Measured tables are noisy: neither rising with SNR nor with k is certain. */
const anyTable = rowsOf(share).map(tableOf);
/** Rises with SNR, row by row. */
const monotoneTable = rowsOf(share).map((rows) => tableOf(rows.map((row) => row.toSorted((a, b) => a - b))));
const target = share.map((accuracy): RatePolicy => ({ kind: 'target-accuracy', accuracy }));

/** A table done by hand: row i reaches 0.8 at 12, 6, 0 and -6 dB, by 0.1 in 6 dB. */
const ladder = tableOf([
  [0.5, 0.6, 0.7, 0.8, 0.9],
  [0.6, 0.7, 0.8, 0.9, 0.91],
  [0.7, 0.8, 0.9, 0.91, 0.92],
  [0.8, 0.9, 0.91, 0.92, 0.93],
]);
const eighty: RatePolicy = { kind: 'target-accuracy', accuracy: 0.8 };

describe('fixed', () => {
  it('is that length whatever the channel, adapted to what is known of it', () => {
    const controller = controllerOf(ladder);
    const policy: RatePolicy = { kind: 'fixed', channelUses: 8 };
    expect(controller.choose(policy, at(3, NOW - 5), NOW)).toEqual({
      channelUses: 8,
      snrDb: 3,
      reason: 'fixed',
      ageMs: 5,
    });
    expect(controller.choose(policy, undefined, NOW)).toMatchObject({ channelUses: 8, snrDb: 5, ageMs: undefined });
    expect(controller.choose(policy, at(3, NOW - 1001), NOW)).toMatchObject({ channelUses: 8, snrDb: 5, ageMs: 1001 });
  });
});

describe('target-accuracy', () => {
  it('without history is the least length that meets the target, else the most accurate', () => {
    fc.assert(
      fc.property(anyTable, target, snr, (calibration, policy, snrDb) => {
        if (policy.kind !== 'target-accuracy') throw new Error('another policy');
        const accuracies = LENGTHS.map((_, row) => calibratedAccuracy(calibration, 'awgn', row, snrDb));
        const { channelUses, reason, ...rest } = controllerOf(calibration).choose(policy, at(snrDb), NOW);
        expect(rest).toEqual({ snrDb, ageMs: 0 });
        const row = LENGTHS.indexOf(channelUses);
        if (accuracies.some((accuracy) => accuracy >= policy.accuracy)) {
          expect(reason).toBe('target');
          expect(row).toBe(accuracies.findIndex((accuracy) => accuracy >= policy.accuracy));
        } else {
          expect(reason).toBe('best-effort');
          expect(accuracies[row]!).toBeGreaterThanOrEqual(Math.max(...accuracies) - 0.002);
        }
      }),
    );
  });

  it('meets the target wherever it can be, whatever came before and however noisy the table', () => {
    fc.assert(
      fc.property(anyTable, target, fc.array(snr, { minLength: 1, maxLength: 12 }), (calibration, policy, snrs) => {
        const controller = controllerOf(calibration);
        for (const snrDb of snrs) {
          const needed = controllerOf(calibration).choose(policy, at(snrDb), NOW);
          const { channelUses } = controller.choose(policy, at(snrDb), NOW);
          if (needed.reason !== 'target' || policy.kind !== 'target-accuracy') continue;
          expect(channelUses).toBeGreaterThanOrEqual(needed.channelUses);
          const row = LENGTHS.indexOf(channelUses);
          expect(calibratedAccuracy(calibration, 'awgn', row, snrDb)).toBeGreaterThanOrEqual(policy.accuracy);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not rise as the SNR rises, for a table that rises with SNR', () => {
    fc.assert(
      fc.property(monotoneTable, target, snr, snr, (calibration, policy, a, b) => {
        const choose = (snrDb: number) => controllerOf(calibration).choose(policy, at(snrDb), NOW);
        const [worse, better] = [choose(Math.min(a, b)), choose(Math.max(a, b))];
        if (worse.reason === 'target') expect(better.channelUses).toBeLessThanOrEqual(worse.channelUses);
      }),
    );
    const lengths = [-6, -3, 0, 3, 6, 9, 12, 15].map((snrDb) => controllerOf(ladder).choose(eighty, at(snrDb), NOW));
    expect(lengths.map(({ channelUses }) => channelUses)).toEqual([16, 16, 8, 8, 4, 4, 2, 2]);
  });

  it('goes longer at once, holds while the target has little to spare, and then goes shorter', () => {
    const controller = controllerOf(ladder);
    const steps = [6, 5.9, 6, 6.9, 6.99, 7.01, 6, 5.99].map((snrDb) => {
      const { channelUses, reason } = controller.choose(eighty, at(snrDb), NOW);
      return `${snrDb} dB: ${channelUses} ${reason}`;
    });
    expect(steps).toEqual([
      '6 dB: 4 target',
      '5.9 dB: 8 target',
      '6 dB: 8 hold',
      '6.9 dB: 8 hold',
      '6.99 dB: 8 hold',
      '7.01 dB: 4 target',
      '6 dB: 4 target',
      '5.99 dB: 8 target',
    ]);
  });

  it('goes shorter only as far as there is SNR to spare', () => {
    const controller = controllerOf(ladder);
    controller.choose(eighty, at(-6), NOW);
    // 2 would do at 12.5 dB, but not with 1 dB less.
    expect(controller.choose(eighty, at(12.5), NOW)).toMatchObject({ channelUses: 4 });
    expect(controller.choose(eighty, at(13), NOW)).toMatchObject({ channelUses: 2, reason: 'target' });
  });

  it('without hysteresis follows the SNR alone', () => {
    const controller = controllerOf(ladder, { hysteresisDb: 0 });
    const lengths = [5.9, 6, 5.9, 6].map((snrDb) => controller.choose(eighty, at(snrDb), NOW).channelUses);
    expect(lengths).toEqual([8, 4, 8, 4]);
  });

  it('judges each channel model by its own table', () => {
    const half: RatePolicy = { kind: 'target-accuracy', accuracy: 0.4 };
    expect(controllerOf(ladder).choose(half, at(6, NOW, 'rayleigh-block'), NOW).channelUses).toBe(4);
    expect(controllerOf(ladder).choose(half, at(6, NOW, 'awgn'), NOW).channelUses).toBe(2);
    expect(controllerOf(ladder).choose(half, at(6, NOW, 'never-measured'), NOW).channelUses).toBe(4);
  });

  it('falls back to the longest length when the state is too old or missing, and forgets what it held', () => {
    const controller = controllerOf(ladder);
    controller.choose(eighty, at(5.9), NOW);
    expect(controller.choose(eighty, at(20, NOW - 1001), NOW)).toEqual({
      channelUses: 16,
      snrDb: 5,
      reason: 'stale',
      ageMs: 1001,
    });
    expect(controller.choose(eighty, undefined, NOW)).toMatchObject({ channelUses: 16, reason: 'stale', snrDb: 5 });
    expect(controller.choose(eighty, at(6, NOW - 1000), NOW)).toMatchObject({ channelUses: 4, reason: 'target' });
  });

  it('takes a state measured by a clock that runs ahead for one of now', () => {
    expect(controllerOf(ladder).choose(eighty, at(6, NOW + 700), NOW)).toMatchObject({ channelUses: 4, ageMs: 0 });
  });
});

describe('budget', () => {
  const budget = fc.record({
    kind: fc.constant('budget' as const),
    maxChannelUses: fc.integer({ min: 0, max: 20 }),
    maxAirTimeSeconds: fc.oneof(fc.constant(0), fc.double({ min: 1e-4, max: 0.02, noNaN: true })),
    symbolRateHz: fc.double({ min: 100, max: 10_000, noNaN: true }),
  });

  it('is never exceeded when some length fits, fresh or stale; else the shortest is sent', () => {
    const state = fc.option(fc.tuple(snr, fc.integer({ min: -2000, max: 0 })), { nil: undefined });
    fc.assert(
      fc.property(anyTable, budget, state, (calibration, policy, known) => {
        const fedBack = known && at(known[0], NOW + known[1]);
        const { channelUses } = controllerOf(calibration).choose(policy, fedBack, NOW);
        const fits = (k: number) =>
          (policy.maxChannelUses === 0 || k <= policy.maxChannelUses) &&
          (policy.maxAirTimeSeconds === 0 || k / policy.symbolRateHz <= policy.maxAirTimeSeconds * (1 + 1e-9));
        if (LENGTHS.some(fits)) expect(fits(channelUses)).toBe(true);
        else expect(channelUses).toBe(LENGTHS[0]);
      }),
    );
  });

  it('is spent on the most accurate length within it, the shortest of those as good', () => {
    fc.assert(
      fc.property(anyTable, snr, fc.integer({ min: 2, max: 20 }), (calibration, snrDb, maxChannelUses) => {
        const policy: RatePolicy = { kind: 'budget', maxChannelUses };
        const { channelUses, reason } = controllerOf(calibration).choose(policy, at(snrDb), NOW);
        const accuracy = (k: number) => calibratedAccuracy(calibration, 'awgn', LENGTHS.indexOf(k), snrDb);
        const best = Math.max(...LENGTHS.filter((k) => k <= maxChannelUses).map(accuracy));
        expect(reason).toBe('budget');
        expect(LENGTHS.filter((k) => k <= maxChannelUses).find((k) => accuracy(k) >= best - 0.002)).toBe(channelUses);
      }),
    );
  });

  it('in time on the air allows k symbols in exactly k symbol times, whatever the rate', () => {
    const stale = undefined;
    fc.assert(
      fc.property(fc.constantFrom(...LENGTHS), fc.integer({ min: 1, max: 100_000_000 }), (k, symbolRateHz) => {
        const seconds = k / symbolRateHz;
        const allowed = (maxAirTimeSeconds: number) =>
          controllerOf(ladder).choose({ kind: 'budget', maxAirTimeSeconds, symbolRateHz }, stale, NOW).channelUses;
        expect(allowed(seconds)).toBe(k);
        expect(allowed(seconds * 0.999)).toBe(k === 2 ? 2 : k / 2);
      }),
    );
    const policy: RatePolicy = { kind: 'budget', maxAirTimeSeconds: 0.001, symbolRateHz: 9000 };
    expect(controllerOf(ladder).choose(policy, at(-6), NOW).channelUses).toBe(8);
  });

  it('takes the tighter of both limits, and no limit where one is 0', () => {
    const allowed = (limits: Omit<Extract<RatePolicy, { kind: 'budget' }>, 'kind'>) =>
      controllerOf(ladder).choose({ kind: 'budget', ...limits }, undefined, NOW).channelUses;
    expect(allowed({ maxChannelUses: 8, maxAirTimeSeconds: 0.004, symbolRateHz: 1000 })).toBe(4);
    expect(allowed({ maxChannelUses: 2, maxAirTimeSeconds: 0.004, symbolRateHz: 1000 })).toBe(2);
    expect(allowed({ maxChannelUses: 0, maxAirTimeSeconds: 0.008, symbolRateHz: 1000 })).toBe(8);
    expect(allowed({ maxChannelUses: 8, maxAirTimeSeconds: 0, symbolRateHz: 0 })).toBe(8);
    expect(allowed({})).toBe(16);
    expect(allowed({ maxChannelUses: 1 })).toBe(2);
  });

  it('spends no symbols on accuracy within the calibration’s own error', () => {
    const flat = tableOf(LENGTHS.map((_, row) => SNR_DB.map(() => 0.8 + 0.0009 * Math.min(row, 2))));
    expect(controllerOf(flat).choose({ kind: 'budget', maxChannelUses: 16 }, at(6), NOW).channelUses).toBe(2);
  });
});
