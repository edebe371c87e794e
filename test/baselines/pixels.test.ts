/** The stored results of the baseline "send the pixels" have the form that its readers expect and make sense. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { projectRoot } from '../../shared/build/compiled.js';

const share = z.number().min(0).max(1);
const resultSchema = z.strictObject({
  codec: z.enum(['jpeg', 'webp', 'avif']),
  channel: z.enum(['awgn', 'rayleigh-block']),
  snr_db: z.number(),
  k: z.int().positive(),
  accuracy: share,
  images: z.int().positive(),
  code_rate: share.nullable(),
  modulation: z.enum(['QPSK', '16QAM', '64QAM', '256QAM']).nullable(),
  resolution: z.int().min(1).max(32).nullable(),
  block_error_rate: share.nullable(),
  payload_bits: z.int().positive().nullable(),
  colour: z.enum(['420', '444', 'grey']).nullable(),
  median_quality: z.int().min(0).max(100).nullable(),
  best: z.boolean(),
});
const fileSchema = z.strictObject({
  made_by: z.string().min(1),
  teacher: z.strictObject({ name: z.string(), sha256: z.string().length(64), accuracy: share }),
  prior: share,
  results: z.array(resultSchema).nonempty(),
});
type Result = z.output<typeof resultSchema>;

/** Two accuracies measured on the same images, but chosen on others: what the later may lose. */
const TOLERANCE = 0.03;
const BITS: Record<string, number> = { QPSK: 2, '16QAM': 4, '64QAM': 6, '256QAM': 8 };

const stored = async () =>
  fileSchema.parse(JSON.parse(await readFile(path.join(projectRoot, 'test/baselines/results/pixels.json'), 'utf8')));

function groups(results: readonly Result[], by: (result: Result) => string): Result[][] {
  const found = new Map<string, Result[]>();
  for (const result of results) found.set(by(result), [...(found.get(by(result)) ?? []), result]);
  return [...found.values()];
}

test('every codec, channel, SNR and k is there once, and one codec is the best of its cell', async () => {
  const { results } = await stored();
  expect(new Set(results.map(({ codec, channel, snr_db, k }) => `${codec} ${channel} ${snr_db} ${k}`)).size).toBe(
    3 * 2 * 7 * 10,
  );
  expect(results).toHaveLength(3 * 2 * 7 * 10);
  for (const cell of groups(results, ({ channel, snr_db, k }) => `${channel} ${snr_db} ${k}`)) {
    expect(cell.filter(({ best }) => best)).toHaveLength(1);
  }
});

test('accuracy does not fall as k or the SNR grows', async () => {
  const { results } = await stored();
  for (const axis of ['k', 'snr_db'] as const) {
    const other = axis === 'k' ? 'snr_db' : 'k';
    for (const line of groups(results, (r) => `${r.codec} ${r.channel} ${r[other]}`)) {
      const ordered = line.sort((a, b) => a[axis] - b[axis]);
      for (const [i, later] of ordered.slice(1).entries()) {
        expect(later.accuracy, JSON.stringify(later)).toBeGreaterThanOrEqual(ordered[i]!.accuracy - TOLERANCE);
      }
    }
  }
});

test('no block carries more bits than its symbols have or than the channel could, and a guess stays a guess', async () => {
  const { results, prior, teacher } = await stored();
  for (const r of results) {
    if (r.payload_bits === null) {
      expect(r).toMatchObject({ accuracy: prior, code_rate: null, modulation: null, block_error_rate: null });
      continue;
    }
    const most = r.k * BITS[r.modulation!]! * r.code_rate!;
    expect(r.payload_bits).toBeLessThanOrEqual(most * 1.001);
    expect(r.accuracy).toBeLessThanOrEqual(
      (1 - r.block_error_rate!) * (teacher.accuracy + 0.01) + r.block_error_rate! * prior,
    );
    // Over AWGN a block far beyond capacity would arrive only by a mistake of ours.
    const capacity = r.k * Math.log2(1 + 10 ** (r.snr_db / 10));
    if (r.channel === 'awgn' && r.block_error_rate! < 0.01) expect(r.payload_bits).toBeLessThan(capacity);
  }
});
