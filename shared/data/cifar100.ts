import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache.js';

/** Pixels along an edge. */
const EDGE = 32;
const PIXELS = EDGE * EDGE;
/** Bytes of an interleaved image. */
const IMAGE_BYTES = PIXELS * 3;
/** Coarse and fine class. */
const LABEL_BYTES = 2;
/** On disk: coarse class, fine class, then the planes R, G and B. */
export const CIFAR100_RECORD_BYTES = LABEL_BYTES + IMAGE_BYTES;
export const CIFAR100_CLASSES = 100;
const COARSE_CLASSES = 20;
/** Of the training images in the order of the file, the last tenth is held out, as with CIFAR-10. */
const HELD_OUT = 1 / 10;

export const CIFAR100_SPLITS = ['train', 'holdout', 'test'] as const;
export type Cifar100Split = (typeof CIFAR100_SPLITS)[number];

/**
 * What the published files hold: the hash of {@link imagesSha256}. It does not depend on the order of the images, so a
 * copy in another order passes too; knowledge carries a hash that does depend on it, and never fits another order.
 */
const PUBLISHED = {
  'train.bin': { images: 50_000, sha256: '6d2a03c47c105e4c34d3a2ff16c2803e8df0e5d6fa0c631e46663a327aeac573' },
  'test.bin': { images: 10_000, sha256: '381b7d98ce1e9b98232a8df0db0a22992654c39ff2433270656ab8ace5a45e65' },
} as const;

/** All images of a split, in memory, with their fine classes. */
export interface Cifar100Images {
  /** count x 32 x 32 x 3 bytes, row-major, R, G, B of a pixel together, 0 to 255. */
  readonly images: Uint8Array;
  /** count fine class indices, 0 to 99. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly width: 32;
  readonly height: 32;
  readonly classes: 100;
}

export interface Cifar100Options {
  /** Holds train.bin and test.bin; default: cifar100 in the {@link cacheFolder}. */
  readonly folder?: string | undefined;
  /** Whether the images must be the published ones, as they are by default; if not, any of the same layout do. */
  readonly verify?: boolean | undefined;
}

/**
 * Reads a split of CIFAR-100's binary version into memory: 138 MB for `train`, 15 MB for `holdout`, 31 MB for `test`.
 * No package registry carries its images, so unlike CIFAR-10 the user brings the files.
 *
 * @throws Error that names the file and says what to do when it is missing, not whole, or holds other images
 */
export async function loadCifar100(split: Cifar100Split, options: Cifar100Options = {}): Promise<Cifar100Images> {
  const name = split === 'test' ? 'test.bin' : 'train.bin';
  const file = join(options.folder ?? join(cacheFolder(), 'cifar100'), name);
  const records = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(
      `CIFAR-100 cannot be read (${file}: ${cause.code ?? cause.message}); unpack the binary version of the data set ` +
        'and name the folder that holds train.bin and test.bin',
      { cause },
    );
  });
  checkRecords(file, records);
  if (options.verify ?? true) checkPublished(file, name, records);
  const all = records.length / CIFAR100_RECORD_BYTES;
  const heldOut = Math.floor(all * HELD_OUT);
  const first = split === 'holdout' ? all - heldOut : 0;
  const count = { train: all - heldOut, holdout: heldOut, test: all }[split];
  const images = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const start = (first + i) * CIFAR100_RECORD_BYTES;
    labels[i] = records[start + 1]!;
    for (let from = start + LABEL_BYTES, to = i * IMAGE_BYTES; to < (i + 1) * IMAGE_BYTES; from++, to += 3) {
      images[to] = records[from]!;
      images[to + 1] = records[from + PIXELS]!;
      images[to + 2] = records[from + 2 * PIXELS]!;
    }
  }
  return { images, labels, count, width: EDGE, height: EDGE, classes: CIFAR100_CLASSES };
}

/**
 * Hash of a set of images with their fine classes, whatever their order: hex SHA-256 over the sorted SHA-256s (32 bytes
 * each) of each record without its coarse class.
 */
export function imagesSha256(records: Uint8Array): string {
  const digests: Buffer[] = [];
  for (let at = 0; at < records.length; at += CIFAR100_RECORD_BYTES) {
    digests.push(
      createHash('sha256')
        .update(records.subarray(at + 1, at + CIFAR100_RECORD_BYTES))
        .digest(),
    );
  }
  const hash = createHash('sha256');
  for (const digest of digests.sort(Buffer.compare)) hash.update(digest);
  return hash.digest('hex');
}

/** @throws Error when the file is no run of records, or its two labels contradict each other */
function checkRecords(file: string, records: Uint8Array): void {
  const damaged = (what: string): Error =>
    new Error(`${file} is not CIFAR-100's binary version: ${what}; unpack it again, or check which data set it is`);
  if (records.length === 0 || records.length % CIFAR100_RECORD_BYTES !== 0) {
    throw damaged(`${records.length} bytes are no whole number of records of ${CIFAR100_RECORD_BYTES} bytes`);
  }
  const coarseOf = new Map<number, number>();
  for (let at = 0; at < records.length; at += CIFAR100_RECORD_BYTES) {
    const coarse = records[at]!;
    const fine = records[at + 1]!;
    const image = at / CIFAR100_RECORD_BYTES;
    if (coarse >= COARSE_CLASSES || fine >= CIFAR100_CLASSES) {
      throw damaged(`image ${image} has coarse class ${coarse} of ${COARSE_CLASSES}, fine ${fine} of 100`);
    }
    const known = coarseOf.get(fine) ?? coarse;
    if (known !== coarse)
      throw damaged(`fine class ${fine} is in coarse class ${known}, and at image ${image} in ${coarse}`);
    coarseOf.set(fine, coarse);
  }
}

function checkPublished(file: string, name: keyof typeof PUBLISHED, records: Uint8Array): void {
  const { images, sha256 } = PUBLISHED[name];
  const count = records.length / CIFAR100_RECORD_BYTES;
  if (count === images && imagesSha256(records) === sha256) return;
  const found = count === images ? 'other images or classes' : `${count} images`;
  throw new Error(
    `${file} does not hold the ${images} published images of CIFAR-100 but ${found}; ` +
      'unpack it again, or use --no-verify if it is meant to be other data in the same layout',
  );
}
