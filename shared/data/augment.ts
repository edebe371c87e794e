import { createHash } from 'node:crypto';
import { philox4x32 } from '../random/philox.js';

/** Pixels an image is shifted by at most, up, down, left and right. */
export const MAX_SHIFT = 4;

/** One view of an image. */
export interface ImageView {
  /** Row y of the view is row y + rowShift of the image, -{@link MAX_SHIFT} to {@link MAX_SHIFT}. */
  readonly rowShift: number;
  /** Likewise for columns; applied after the flip. */
  readonly columnShift: number;
  /** Left and right change places. */
  readonly flip: boolean;
}

/** The image as it is. */
export const PLAIN_VIEW: ImageView = { rowShift: 0, columnShift: 0, flip: false };

/** The view that three uniform variates in [0, 1) give: row shift, column shift, flip. */
export function viewFromDraws(row: number, column: number, flip: number): ImageView {
  return { rowShift: shiftFrom(row), columnShift: shiftFrom(column), flip: flip < 0.5 };
}

function shiftFrom(uniform: number): number {
  return Math.floor(uniform * (2 * MAX_SHIFT + 1)) - MAX_SHIFT;
}

/**
 * Writes a view of one image: what lies beyond the border is the image mirrored at it, the border itself not repeated.
 *
 * @param rgb images of height x width x 3 values one after the other; `from`: index of the image's first value
 * @param out takes height x width x 3 values from index `to` on
 */
export function writeView(
  rgb: Uint8Array,
  from: number,
  { width, height }: { readonly width: number; readonly height: number },
  { rowShift, columnShift, flip }: ImageView,
  out: Uint8Array | Float32Array,
  to: number,
): void {
  const columns = new Int32Array(width);
  for (let x = 0; x < width; x++) columns[x] = 3 * mirror((flip ? width - 1 - x : x) + columnShift, width);
  let write = to;
  for (let y = 0; y < height; y++) {
    const row = from + 3 * width * mirror(y + rowShift, height);
    for (let x = 0; x < width; x++) {
      const read = row + columns[x]!;
      out[write++] = rgb[read]!;
      out[write++] = rgb[read + 1]!;
      out[write++] = rgb[read + 2]!;
    }
  }
}

function mirror(i: number, n: number): number {
  if (i < 0) return -i;
  return i >= n ? 2 * (n - 1) - i : i;
}

/** How the views of a data set are made: everything that they depend on besides the image's number. */
export interface Augmentation {
  readonly name: string;
  readonly version: number;
  /** 0 to 2^32 - 1. */
  readonly seed: number;
  /** Pixels. */
  readonly shift: number;
  /** Hex SHA-256 over the above. */
  readonly sha256: string;
}

/** Version 1: random shift of up to 4 pixels with a mirrored border, and a random flip. */
export function augmentation(seed: number): Augmentation {
  const described = { name: 'mirror-shift-flip', version: 1, seed, shift: MAX_SHIFT };
  return { ...described, sha256: createHash('sha256').update(JSON.stringify(described)).digest('hex') };
}

/**
 * The views of a data set, as functions of (seed, image, view): the same on every machine, in whatever order they are
 * asked for. View 0 is the plain image, so that a set also says what the teacher thinks of the image itself.
 *
 * The Philox key is the first 8 bytes, as two little-endian words, of SHA-256("semlink-augmentation-v1\n<seed>") with
 * the seed in decimal; words 0 to 2 of counter (image, view, 0, 0), divided by 2^32, are the draws of
 * {@link viewFromDraws}.
 */
export class SeededViews {
  readonly #key0: number;
  readonly #key1: number;
  readonly #words = new Uint32Array(4);

  constructor(seed: number) {
    const digest = createHash('sha256').update(`semlink-augmentation-v1\n${seed}`).digest();
    this.#key0 = digest.readUInt32LE(0);
    this.#key1 = digest.readUInt32LE(4);
  }

  viewOf(image: number, view: number): ImageView {
    if (view === 0) return PLAIN_VIEW;
    const words = this.#words;
    philox4x32(words, image, view, 0, 0, this.#key0, this.#key1);
    return viewFromDraws(words[0]! / 2 ** 32, words[1]! / 2 ** 32, words[2]! / 2 ** 32);
  }
}
