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
  /** Another image shines through. */
  readonly blend?: Blend;
}

/** What a view is blended with: each value is share x own + (1 - share) x other, rounded to a whole number. */
export interface Blend {
  /** Number of the other image in the data set. */
  readonly image: number;
  /** View of the other image; not a blend itself. */
  readonly view: ImageView;
  /** Share that the view keeps of its own image, 1/2 to 1. */
  readonly share: number;
}

/** Images of one size in memory: rgb has count x height x width x 3 values, rows of R, G, B. */
export interface ImageTable {
  readonly rgb: Uint8Array;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
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
 * Writes a view of an image, blended where the view is: the same bytes for the teacher and for the student.
 *
 * @param image number of the image in the table
 * @param out takes height x width x 3 whole numbers of 0 to 255 from index `to` on
 */
export function writeImageView(
  images: ImageTable,
  image: number,
  view: ImageView,
  out: Uint8Array | Float32Array,
  to: number,
): void {
  const { rgb, width, height } = images;
  const size = width * height * 3;
  writeView(rgb, image * size, images, view, out, to);
  if (!view.blend) return;
  const { image: other, view: otherView, share } = view.blend;
  const through = new Uint8Array(size);
  writeView(rgb, other * size, images, otherView, through, 0);
  for (let i = 0; i < size; i++) out[to + i] = Math.round(share * out[to + i]! + (1 - share) * through[i]!);
}

/**
 * Writes a view of one image, without what it may be blended with: what lies beyond the border is the image mirrored at it, the border itself not repeated.
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
  /** Share of the drawn views that are blends of two images, 0 to 1. */
  readonly blendShare: number;
  /** Hex SHA-256 over the above. */
  readonly sha256: string;
}

/** Random shift of up to 4 pixels with a mirrored border and random flip; some blended with a view of another image. */
export function augmentation(seed: number, blendShare = 0): Augmentation {
  const name = blendShare > 0 ? 'mirror-shift-flip-blend' : 'mirror-shift-flip';
  const described = { name, version: 1, seed, shift: MAX_SHIFT, ...(blendShare > 0 && { blendShare }) };
  const sha256 = createHash('sha256').update(JSON.stringify(described)).digest('hex');
  return { ...described, blendShare, sha256 };
}

/** Which of the drawn views are blends. */
export interface Blending {
  /** Share of them, 0 to 1. */
  readonly share: number;
  /** Images of the set, among which the other one of a blend is drawn. */
  readonly images: number;
}

/**
 * The views of a data set, as functions of (seed, image, view): the same on every machine, in whatever order they are
 * asked for. View 0 is the plain image, so that a set also says what the teacher thinks of the image itself.
 *
 * The Philox key is the first 8 bytes, as two little-endian words, of SHA-256("semlink-augmentation-v1\n<seed>") with
 * the seed in decimal; words 0 to 2 of counter (image, view, 0, 0), divided by 2^32, are the draws of
 * {@link viewFromDraws}. Where blends are made, words u0, u1, u2 of counter (image, view, 1, 0), divided likewise, say
 * whether this view is one (u0 < share), of which other image (floor(u1 x images)) and how much it keeps of its own
 * (1/2 + u2 / 2); the other image's view has counter (image, view, 2, 0). Blends are mixup (Zhang et al., arXiv
 * 1710.09412) that the teacher sees too: a student learns most from images on which the teacher is not certain, and is
 * told about the very image it gets (Beyer et al., arXiv 2106.05237).
 */
export class SeededViews {
  readonly #key0: number;
  readonly #key1: number;
  readonly #blending: Blending;
  readonly #words = new Uint32Array(4);

  /** @param blending default: no view is a blend */
  constructor(seed: number, blending: Blending = { share: 0, images: 0 }) {
    const digest = createHash('sha256').update(`semlink-augmentation-v1\n${seed}`).digest();
    this.#key0 = digest.readUInt32LE(0);
    this.#key1 = digest.readUInt32LE(4);
    this.#blending = blending;
  }

  viewOf(image: number, view: number): ImageView {
    if (view === 0) return PLAIN_VIEW;
    const own = this.#drawn(image, view, 0);
    const { share, images } = this.#blending;
    if (share === 0) return own;
    const [kind, other, kept] = this.#uniform(image, view, 1);
    if (kind >= share) return own;
    const blend = { image: Math.floor(other * images), view: this.#drawn(image, view, 2), share: (1 + kept) / 2 };
    return { ...own, blend };
  }

  #drawn(image: number, view: number, stream: number): ImageView {
    return viewFromDraws(...this.#uniform(image, view, stream));
  }

  #uniform(image: number, view: number, stream: number): [number, number, number] {
    const words = this.#words;
    philox4x32(words, image, view, stream, 0, this.#key0, this.#key1);
    return [words[0]! / 2 ** 32, words[1]! / 2 ** 32, words[2]! / 2 ** 32];
  }
}
