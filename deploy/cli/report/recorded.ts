import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { isMissing } from '../../../shared/config/index.js';

const point = { channel: z.string(), snr_db: z.number(), k: z.number().positive(), accuracy: z.number().min(0).max(1) };

/** Pixels the classical way: one result a channel, SNR and k, at the best rate. */
const pixelResult = z.looseObject({ ...point, codec: z.string() });

/** A training run: what was changed, and its accuracy. `images`: training images. `size`: S, M or L. */
const runResult = z.looseObject({
  run: z.string(),
  size: z.string(),
  epochs: z.number(),
  images: z.number(),
  seed: z.number(),
  what: z.string(),
  points: z.array(z.looseObject(point)),
});

export type PixelResult = z.infer<typeof pixelResult>;
export type RunResult = z.infer<typeof runResult>;

/** What other programs measured, by file; undefined where there is no file. */
export interface Recorded {
  pixels: PixelResult[] | undefined;
  ablations: RunResult[] | undefined;
  dataAxis: RunResult[] | undefined;
  /** Standard distillation, the teacher asked about every batch. */
  teacherInLoop: RunResult[] | undefined;
  /** Dense answers of the teacher beside the same answers as stored. */
  denseKnowledge: RunResult[] | undefined;
}

/** The points of training runs that are drawn, where a run has so many that no page could hold them; all are in the JSON. */
const SHOWN = [
  ['awgn', -10, 32],
  ['awgn', 0, 8],
  ['awgn', 10, 8],
  ['awgn', 10, 32],
  ['rayleigh-block', 0, 32],
  ['rayleigh-block', 10, 32],
] as const;
const MANY_POINTS = 16;

/** The points of a run that a page shows: all where they are few. */
export function shownPoints({ points }: RunResult): RunResult['points'] {
  if (points.length <= MANY_POINTS) return points;
  return points.filter((p) =>
    SHOWN.some(([channel, snrDb, k]) => p.channel === channel && p.snr_db === snrDb && p.k === k),
  );
}

export const RECORDED_FILES = {
  pixels: 'pixels.json',
  ablations: 'ablations.json',
  dataAxis: 'data-axis.json',
  teacherInLoop: 'teacher-in-loop.json',
  denseKnowledge: 'dense-knowledge.json',
} as const;

/**
 * Reads `{"results": [...]}` of each file in a folder.
 * @throws Error naming the file and what in it is wrong; a missing file is none
 */
export async function readRecorded(folder: string): Promise<Recorded> {
  return {
    pixels: await read(folder, RECORDED_FILES.pixels, pixelResult),
    ablations: await read(folder, RECORDED_FILES.ablations, runResult),
    dataAxis: await read(folder, RECORDED_FILES.dataAxis, runResult),
    teacherInLoop: await read(folder, RECORDED_FILES.teacherInLoop, runResult),
    denseKnowledge: await read(folder, RECORDED_FILES.denseKnowledge, runResult),
  };
}

async function read<T>(folder: string, name: string, result: z.ZodType<T>): Promise<T[] | undefined> {
  const file = path.join(folder, name);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = z.object({ results: z.array(result) }).safeParse(json);
  if (!parsed.success) throw new Error(`${file} has not the form it should: ${z.prettifyError(parsed.error)}`);
  return parsed.data.results;
}
