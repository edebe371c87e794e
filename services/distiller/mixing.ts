import type { Batch } from './batches.js';

/** How images of a batch are mixed with one another. */
export interface MixingOptions {
  /** Share of images that get a square of another pasted in (CutMix), 0 to 1. */
  readonly cutMix: number;
  /** Share of images that are blended with another (mixup), 0 to 1; with `cutMix` at most 1. */
  readonly mixup: number;
}

/** Uniform variates that each image of a batch uses. */
export const MIXING_DRAWS = 4;

interface Size {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** One image of a batch with what is to be answered of it. */
type Example = readonly Float32Array[];

/**
 * Mixes images of a batch in place, each chosen one with the next as that was, the last with the first. Label and
 * teacher's distribution are mixed by the same shares: a small network that sees few views of few images learns them by
 * heart, and mixed ones are new in every epoch.
 *
 * CutMix: Yun et al., arXiv 1905.04899; mixup: Zhang et al., arXiv 1710.09412; both with shares from Beta(1, 1), that is
 * uniform ones.
 *
 * @param draws {@link MIXING_DRAWS} uniform variates an image: what is done, the share it keeps of itself, the middle of
 * the square by row and by column
 */
export function mixBatch(batch: Batch, size: Size, draws: Float32Array, options: MixingOptions): void {
  const count = draws.length / MIXING_DRAWS;
  const first = exampleOf(batch, 0, count).map((values) => values.slice());
  for (let i = 0; i < count; i++) {
    const [what, share, row, column] = draws.subarray(MIXING_DRAWS * i, MIXING_DRAWS * (i + 1));
    if (what! >= options.cutMix + options.mixup) continue;
    const [image, ...answers] = exampleOf(batch, i, count);
    const [other, ...otherAnswers] = i + 1 < count ? exampleOf(batch, i + 1, count) : first;
    let kept = share!;
    if (what! < options.cutMix) kept = pasteSquare(image!, other!, size, { share: share!, row: row!, column: column! });
    else blend(image!, other!, kept);
    answers.forEach((answer, a) => {
      blend(answer, otherAnswers[a]!, kept);
    });
  }
}

function exampleOf({ rgb, labels, teacher }: Batch, i: number, count: number): Example {
  return [rgb, labels, ...(teacher ? [teacher] : [])].map((values) => {
    const each = values.length / count;
    return values.subarray(i * each, (i + 1) * each);
  });
}

/** own = share own + (1 - share) other. */
function blend(own: Float32Array, other: Float32Array, share: number): void {
  for (let i = 0; i < own.length; i++) own[i] = share * own[i]! + (1 - share) * other[i]!;
}

/**
 * Copies a square of (1 - share) of the image's area from the other image, cut off at the border.
 *
 * @param at middle of the square, 0 to 1 of height and width
 * @returns share of the image that is still its own
 */
function pasteSquare(
  image: Float32Array,
  other: Float32Array,
  { width, height }: Size,
  at: { share: number; row: number; column: number },
): number {
  const half = Math.sqrt(1 - at.share) / 2;
  const span = (middle: number, length: number) =>
    [middle - half, middle + half].map((edge) => Math.round(length * Math.min(1, Math.max(0, edge)))) as [
      number,
      number,
    ];
  const [top, bottom] = span(at.row, height);
  const [left, right] = span(at.column, width);
  for (let y = top; y < bottom; y++) {
    const from = 3 * (y * width + left);
    image.set(other.subarray(from, 3 * (y * width + right)), from);
  }
  return 1 - ((bottom - top) * (right - left)) / (width * height);
}
