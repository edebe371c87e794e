import { z } from 'zod';

const accuracies = z.array(z.array(z.number().min(0).max(1)));

/** Whether each number is larger than the one before it. */
export const isAscending = (values: number[]) => values.every((value, i) => i === 0 || value > values[i - 1]!);

/** Measured accuracy of a published model; see `Calibration`. */
export const calibrationSchema = z
  .object({
    /** Images measured, and which: never the test set. */
    images: z.int().positive(),
    split: z.string(),
    /** Average Es/N0 of the columns, dB, ascending. */
    snrDb: z.array(z.number()).min(2).refine(isAscending, 'must ascend'),
    /** k of the rows, ascending. */
    channelUses: z.array(z.int().positive()).min(1).refine(isAscending, 'must ascend'),
    /** By channel model: accuracy[row][column]. */
    accuracy: z
      .record(z.string(), accuracies)
      .refine((models) => Object.keys(models).length > 0, 'needs at least one channel model'),
  })
  .refine(
    (c) =>
      Object.values(c.accuracy).every(
        (rows) => rows.length === c.channelUses.length && rows.every((row) => row.length === c.snrDb.length),
      ),
    { message: 'accuracy needs one row for each channelUses and one column for each snrDb' },
  );

/** Accuracy(k, SNR, channel model), measured on held-out images when a model is published. */
export type Calibration = z.infer<typeof calibrationSchema>;

/**
 * Calibrated accuracy, linear in dB between measured points and constant outside them.
 *
 * @param channelModel a measured model; an unknown one is judged by the one with the lowest accuracy, to be safe
 * @param row index into `channelUses`
 * @returns 0 to 1
 */
export function calibratedAccuracy(table: Calibration, channelModel: string, row: number, snrDb: number): number {
  const known = table.accuracy[channelModel];
  if (known) return interpolate(table.snrDb, known[row]!, snrDb);
  return Math.min(...Object.values(table.accuracy).map((rows) => interpolate(table.snrDb, rows[row]!, snrDb)));
}

function interpolate(xs: number[], ys: number[], x: number): number {
  if (!(x > xs[0]!)) return ys[0]!;
  for (let i = 1; i < xs.length; i++) {
    if (x <= xs[i]!) {
      const part = (x - xs[i - 1]!) / (xs[i]! - xs[i - 1]!);
      return ys[i - 1]! + part * (ys[i]! - ys[i - 1]!);
    }
  }
  return ys.at(-1)!;
}
