import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache.js';
import { type ImageRange, type ImageSource, indicesOf, type ReadableImage } from './source.js';

/** Pixels along an edge. */
const EDGE = 32;
const PIXELS = EDGE * EDGE;
/** Bytes of an interleaved image. */
const IMAGE_BYTES = PIXELS * 3;
/** On disk: a label byte, then the planes R, G and B. */
const RECORD_BYTES = 1 + IMAGE_BYTES;
const RECORDS_PER_FILE = 10_000;
/** Records read at a time: 3 MB. */
const CHUNK_RECORDS = 1000;

const TRAIN_FILES = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.bin`);

/** In the order of the labels. */
export const CIFAR10_CLASS_NAMES: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];

/**
 * The fixed split: of the 50,000 published training images, in their published order, the first 45,000 train and the
 * last 5,000 are held out for every choice (early stopping, calibration); the 10,000 test images are read at the end.
 */
export const CIFAR10_SPLITS = {
  train: { files: TRAIN_FILES, first: 0, count: 45_000 },
  holdout: { files: TRAIN_FILES, first: 45_000, count: 5_000 },
  test: { files: ['test_batch.bin'], first: 0, count: 10_000 },
} as const;

export type Cifar10Split = keyof typeof CIFAR10_SPLITS;

/** All images of a split, in memory. */
export interface Cifar10Images {
  /** count x 32 x 32 x 3 bytes, row-major, R, G, B of a pixel together, 0 to 255. */
  readonly images: Uint8Array;
  /** count class indices, 0 to 9. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly width: 32;
  readonly height: 32;
  readonly classNames: readonly string[];
}

export interface Cifar10Options {
  /** Cache folder, where the set-up put the files; {@link cacheFolder} by default. */
  readonly cache?: string | undefined;
}

/**
 * Reads a split into memory: 138 MB for `train`, 15 MB for `holdout`, 31 MB for `test`.
 *
 * @throws Error when the files are missing or not whole, with what to do; RangeError on an unknown split
 */
export async function loadCifar10(split: Cifar10Split, options: Cifar10Options = {}): Promise<Cifar10Images> {
  const { files, first, count } = splitNamed(split);
  const folder = join(options.cache ?? cacheFolder(), 'cifar10');
  const images = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Uint8Array(count);
  for (const [number, name] of files.entries()) {
    const start = Math.max(first, number * RECORDS_PER_FILE);
    const end = Math.min(first + count, (number + 1) * RECORDS_PER_FILE);
    if (start >= end) continue;
    await readRecords(join(folder, name), start - number * RECORDS_PER_FILE, end - start, (record, index) => {
      const position = start - first + index;
      labels[position] = record[0]!;
      interleave(record, images.subarray(position * IMAGE_BYTES, (position + 1) * IMAGE_BYTES));
    });
  }
  return { images, labels, count, width: EDGE, height: EDGE, classNames: CIFAR10_CLASS_NAMES };
}

/** A split as a source of labelled images, named `cifar10/<split>`; see {@link loadCifar10} for memory and errors. */
export async function openCifar10(split: Cifar10Split, options: Cifar10Options = {}): Promise<ImageSource> {
  const { images, labels, count, width, height, classNames } = await loadCifar10(split, options);
  return {
    name: `cifar10/${split}`,
    count,
    width,
    height,
    classNames,
    async *images(range?: ImageRange): AsyncGenerator<ReadableImage, void, undefined> {
      for (const index of indicesOf(count, range)) {
        const rgb = images.slice(index * IMAGE_BYTES, (index + 1) * IMAGE_BYTES);
        yield { index, name: `${split}/${index}`, rgb, label: labels[index]! };
      }
    },
  };
}

function splitNamed(split: string): (typeof CIFAR10_SPLITS)[Cifar10Split] {
  if (split === 'train' || split === 'holdout' || split === 'test') return CIFAR10_SPLITS[split];
  throw new RangeError(`CIFAR-10 has no split "${split}"; there are train, holdout and test`);
}

/** Calls `use` for records `first` to `first + count` of a canonical file, reading a few megabytes at a time. */
async function readRecords(
  path: string,
  first: number,
  count: number,
  use: (record: Uint8Array, index: number) => void,
): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw new Error(`CIFAR-10 cannot be read (${path}: ${codeOf(cause)}); run \`npm run setup\` to fetch it`, {
      cause,
    });
  }
  try {
    const { size } = await file.stat();
    if (size !== RECORDS_PER_FILE * RECORD_BYTES) {
      throw new Error(
        `CIFAR-10 is damaged (${path} has ${size} bytes instead of ${RECORDS_PER_FILE * RECORD_BYTES}); run \`npm run setup\` to repair it`,
      );
    }
    const chunk = new Uint8Array(Math.min(count, CHUNK_RECORDS) * RECORD_BYTES);
    for (let done = 0; done < count; done += CHUNK_RECORDS) {
      const records = Math.min(CHUNK_RECORDS, count - done);
      await fill(file, chunk.subarray(0, records * RECORD_BYTES), (first + done) * RECORD_BYTES);
      for (let i = 0; i < records; i++) use(chunk.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES), done + i);
    }
  } finally {
    await file.close();
  }
}

/** A read may return less than asked for. */
async function fill(file: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < target.length; ) {
    const { bytesRead } = await file.read(target, at, target.length - at, position + at);
    if (bytesRead === 0) throw new Error('CIFAR-10 was cut short while it was read; run `npm run setup` to repair it');
    at += bytesRead;
  }
}

/** Planes R, G, B after the label byte, to R, G, B of each pixel together. */
function interleave(record: Uint8Array, out: Uint8Array): void {
  for (let pixel = 0, write = 0; pixel < PIXELS; pixel++, write += 3) {
    out[write] = record[1 + pixel]!;
    out[write + 1] = record[1 + PIXELS + pixel]!;
    out[write + 2] = record[1 + 2 * PIXELS + pixel]!;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
