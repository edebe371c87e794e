/** An image that could be read. */
export interface ReadableImage {
  /** Position in the source, from 0; repeats when a source is looped. */
  readonly index: number;
  /** What a person would call it, e.g. `test/17` or `cats/tom.jpg`. */
  readonly name: string;
  /** height x width x 3 bytes, row-major, R, G, B of a pixel together, 0 to 255. */
  readonly rgb: Uint8Array;
  /** True class index, where it is known. */
  readonly label?: number;
}

/** An image that could not be read; the ones after it are not affected. */
export interface UnreadableImage {
  readonly index: number;
  readonly name: string;
  /** One sentence. */
  readonly error: string;
}

export type SourceImage = ReadableImage | UnreadableImage;

/** Which images, in which order. */
export interface ImageRange {
  /** At most this many images, counting unreadable ones; all (or, with `loop`, endless) when left out. */
  readonly limit?: number | undefined;
  /** First index, 0 by default. At or after the end there are no images, unless looped: then it wraps. */
  readonly offset?: number | undefined;
  /** After the last image go on with the first. */
  readonly loop?: boolean | undefined;
}

/** Images of one size, read one after the other. Iterating twice gives the same images in the same order. */
export interface ImageSource {
  readonly name: string;
  /** Number of images, unreadable ones included. */
  readonly count: number;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Name of each class index, where the source knows. */
  readonly classNames?: readonly string[];
  /** @throws RangeError on a negative or fractional `limit` or `offset` */
  images(range?: ImageRange): AsyncIterable<SourceImage>;
}

export function isReadable(image: SourceImage): image is ReadableImage {
  return 'rgb' in image;
}

/**
 * The indices that `range` picks out of `count` images, lazily.
 *
 * @throws RangeError when `limit` or `offset` is not a whole number of at least 0
 */
export function* indicesOf(count: number, range: ImageRange = {}): Generator<number, void, undefined> {
  const { limit, offset = 0, loop = false } = range;
  requireWhole('offset', offset);
  if (limit !== undefined) requireWhole('limit', limit);
  if (count === 0) return;
  const end = loop ? Number.POSITIVE_INFINITY : count;
  const last = Math.min(end, limit === undefined ? Number.POSITIVE_INFINITY : offset + limit);
  for (let position = offset; position < last; position++) yield position % count;
}

function requireWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name} is ${value}; it must be a whole number of at least 0`);
  }
}
