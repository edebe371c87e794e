import { createHash } from 'node:crypto';
import { type Cifar10Options, type Cifar10Split, loadCifar10 } from './cifar10.js';
import { type Cifar100Options, type Cifar100Split, loadCifar100 } from './cifar100.js';

/** A data set in memory, with the checksum that knowledge about it carries. */
export interface LabelledDataSet {
  /** For example `cifar10/train`. */
  readonly name: string;
  /** count x height x width x 3 bytes, row-major, R, G, B of a pixel together, 0 to 255. */
  readonly rgb: Uint8Array;
  /** count class indices. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly classes: number;
  /** Hex SHA-256 of all pixels, then of all labels. */
  readonly sha256: string;
}

/** Hex SHA-256 of pixels and labels, as knowledge.proto defines it for at most 256 classes. */
export function dataSetSha256(rgb: Uint8Array, labels: Uint8Array): string {
  return createHash('sha256').update(rgb).update(labels).digest('hex');
}

/** A split of CIFAR-10; see `loadCifar10` for memory and errors. */
export async function cifar10DataSet(split: Cifar10Split, options: Cifar10Options = {}): Promise<LabelledDataSet> {
  const { images, labels, count, width, height, classNames } = await loadCifar10(split, options);
  return {
    name: `cifar10/${split}`,
    rgb: images,
    labels,
    count,
    width,
    height,
    classes: classNames.length,
    sha256: dataSetSha256(images, labels),
  };
}

/** A split of CIFAR-100 with its 100 fine classes; see `loadCifar100` for memory and errors. */
export async function cifar100DataSet(split: Cifar100Split, options: Cifar100Options = {}): Promise<LabelledDataSet> {
  const { images, ...rest } = await loadCifar100(split, options);
  return { name: `cifar100/${split}`, rgb: images, ...rest, sha256: dataSetSha256(images, rest.labels) };
}
