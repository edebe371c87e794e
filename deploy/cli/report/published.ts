import type { PowerConstraint } from '../../../shared/codec/power-constraint.js';

/** A point of a paper, as its authors state it or as read off their figure. CIFAR-10 over AWGN. */
export interface PublishedPoint {
  who: string;
  setting: string;
  power: PowerConstraint;
  snrDb: number;
  /** Complex channel uses; real values count half. */
  k: number;
  /** 0 to 1; the middle where a range is given. */
  accuracy: number;
  /** True: read off a figure, give or take a few tenths of a point. */
  approximate: boolean;
}

const vlVfe = 'VL-VFE (Shao, Mao, Zhang, arXiv 2102.04170)';
const jcm = 'JCM (Bo, Duan, Shao, Tao, arXiv 2310.06690)';
const real = 'real symbols, peak constraint, PSNR = 1/sigma^2';
const one = 'one model per SNR, 128 complex uses, reconstructs the image too';

export const PUBLISHED: readonly PublishedPoint[] = [
  point(vlVfe, `first model, 16 real values, ${real}`, 'peak', 10, 8, 0.908),
  point(vlVfe, `first model, 14 real values, ${real}`, 'peak', 15, 7, 0.919),
  point(vlVfe, `second model, 23 real values, ${real}`, 'peak', 10, 11.5, 0.918),
  point(vlVfe, `second model, 21 real values, ${real}`, 'peak', 20, 10.5, 0.9205),
  point(jcm, `86 to 88 %, ${one}`, 'average', -12, 128, 0.87),
  point(jcm, `61 to 63 %, ${one}`, 'average', -18, 128, 0.62),
];

function point(
  who: string,
  setting: string,
  power: PowerConstraint,
  snrDb: number,
  k: number,
  accuracy: number,
): PublishedPoint {
  return { who, setting, power, snrDb, k, accuracy, approximate: true };
}

/** The longest of a model's lengths that is not longer than a published one; its shortest where none is. */
export function comparableLength(lengths: readonly number[], k: number): number {
  return lengths.filter((length) => length <= k).at(-1) ?? lengths[0]!;
}
