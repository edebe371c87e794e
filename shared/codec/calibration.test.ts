import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Calibration, calibratedAccuracy, calibrationSchema } from './calibration.js';
import { smallCalibration } from './small-model.fixture.js';

const share = fc.double({ min: 0, max: 1, noNaN: true });
const table: fc.Arbitrary<Calibration> = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: -20, max: 40 }), { minLength: 2, maxLength: 6 }),
    fc.integer({ min: 1, max: 4 }),
  )
  .chain(([snrs, rows]) => {
    const snrDb = snrs.sort((a, b) => a - b);
    const accuracies = fc.array(fc.array(share, { minLength: snrDb.length, maxLength: snrDb.length }), {
      minLength: rows,
      maxLength: rows,
    });
    return fc.record({
      images: fc.constant(5000),
      split: fc.constant('held-out'),
      snrDb: fc.constant(snrDb),
      channelUses: fc.constant(Array.from({ length: rows }, (_, i) => 2 ** i)),
      accuracy: fc.record({ awgn: accuracies, 'rayleigh-block': accuracies }),
    });
  });

describe('calibrated accuracy', () => {
  it('is what was measured at every measured point', () => {
    fc.assert(
      fc.property(table, (calibration) => {
        for (const [model, rows] of Object.entries(calibration.accuracy)) {
          rows.forEach((row, k) => {
            row.forEach((accuracy, column) => {
              expect(calibratedAccuracy(calibration, model, k, calibration.snrDb[column]!)).toBeCloseTo(accuracy, 12);
            });
          });
        }
      }),
    );
  });

  it('is linear in dB between them', () => {
    const calibration = smallCalibration();
    const between = calibratedAccuracy(calibration, 'awgn', 2, 1.5);
    const [, zero, six] = calibration.accuracy.awgn![2]!;
    expect(between).toBeCloseTo(zero! + 0.25 * (six! - zero!), 12);
  });

  it('lies between its neighbours, is monotone where they are, and constant outside', () => {
    fc.assert(
      fc.property(table, share, share, fc.nat(), (calibration, a, b, seed) => {
        const { snrDb, accuracy } = calibration;
        const column = seed % (snrDb.length - 1);
        const [low, high] = [snrDb[column]!, snrDb[column + 1]!];
        const [from, to] = [accuracy.awgn![0]![column]!, accuracy.awgn![0]![column + 1]!];
        const [left, right] = [Math.min(a, b), Math.max(a, b)].map((part) =>
          calibratedAccuracy(calibration, 'awgn', 0, low + part * (high - low)),
        ) as [number, number];
        for (const value of [left, right]) {
          expect(value).toBeGreaterThanOrEqual(Math.min(from, to) - 1e-12);
          expect(value).toBeLessThanOrEqual(Math.max(from, to) + 1e-12);
        }
        if (from <= to) expect(left).toBeLessThanOrEqual(right + 1e-12);
        else expect(left).toBeGreaterThanOrEqual(right - 1e-12);
        const row = accuracy.awgn![0]!;
        expect(calibratedAccuracy(calibration, 'awgn', 0, snrDb[0]! - 50)).toBe(row[0]);
        expect(calibratedAccuracy(calibration, 'awgn', 0, snrDb.at(-1)! + 50)).toBe(row.at(-1));
      }),
    );
  });

  it('of an unknown channel model is that of the worst known one, at every SNR and k', () => {
    fc.assert(
      fc.property(table, fc.double({ min: -30, max: 50, noNaN: true }), (calibration, snrDb) => {
        calibration.channelUses.forEach((_, row) => {
          const known = ['awgn', 'rayleigh-block'].map((name) => calibratedAccuracy(calibration, name, row, snrDb));
          expect(calibratedAccuracy(calibration, 'tdl-c', row, snrDb)).toBe(Math.min(...known));
        });
      }),
    );
  });

  it('takes the worst end for an SNR that is no number', () => {
    expect(calibratedAccuracy(smallCalibration(), 'awgn', 0, Number.NaN)).toBe(0.2);
  });
});

describe('calibration schema', () => {
  const good = smallCalibration();
  it('takes a whole table', () => {
    expect(calibrationSchema.parse(good)).toEqual(good);
  });

  it.each<[string, Partial<Calibration>]>([
    ['a row too few', { accuracy: { awgn: good.accuracy.awgn!.slice(1) } }],
    ['a column too few', { snrDb: [...good.snrDb, 20] }],
    ['an accuracy over 1', { accuracy: { awgn: good.accuracy.awgn!.map((row) => row.map(() => 1.01)) } }],
    ['no channel model at all', { accuracy: {} }],
    ['SNRs that do not ascend', { snrDb: [-6, 6, 0, 12] }],
    ['lengths that do not ascend', { channelUses: [1, 4, 2, 8] }],
  ])('refuses %s', (_, change) => {
    expect(calibrationSchema.safeParse({ ...good, ...change }).success).toBe(false);
  });
});
