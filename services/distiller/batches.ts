import { type ImageView, viewFromDraws, writeImageView } from '../../shared/data/augment.js';

/** Images with labels in memory: rgb is count * height * width * 3 bytes, rows of R, G, B. */
export interface LabelledImages {
  rgb: Uint8Array;
  labels: Uint8Array;
  count: number;
  width: number;
  height: number;
}

/** One augmented training batch, pixels 0 to 255. */
export interface Batch {
  rgb: Float32Array;
  /** What each image shows, N * classes: 1 for its label, or the shares of two that are mixed or blended. */
  labels: Float32Array;
  /** The teacher's distribution of each view, at the temperature of the loss; absent: labels alone. */
  teacher?: Float32Array;
}

/**
 * Order in which an epoch visits the images.
 *
 * @param keys one uniform variate an image; the order is that of the keys
 */
export function epochOrder(keys: Float32Array): Uint32Array {
  return Uint32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/**
 * Copies images with a random shift of up to 4 pixels (mirrored at the border) and a random left-right flip.
 *
 * @param draws 3 uniform variates an image: row shift, column shift, flip
 */
export function augmentedBatch(
  images: LabelledImages,
  classes: number,
  indices: Uint32Array,
  draws: Float32Array,
): Batch {
  const size = images.width * images.height * 3;
  const rgb = new Float32Array(indices.length * size);
  const labels = new Float32Array(indices.length * classes);
  indices.forEach((index, i) => {
    labels[i * classes + images.labels[index]!] = 1;
    const view = viewFromDraws(draws[3 * i]!, draws[3 * i + 1]!, draws[3 * i + 2]!);
    writeImageView(images, index, view, rgb, i * size);
  });
  return { rgb, labels };
}

/** What a teacher said about stored views of the training images. */
export interface TrainingKnowledge {
  /** Views stored of each image. */
  readonly views: number;
  readonly classes: number;
  viewOf(image: number, view: number): ImageView;
  /** Writes the teacher's distribution at a temperature, `classes` values, to `out` from index `to` on. */
  restore(image: number, view: number, temperature: number, out: Float32Array, to: number): void;
}

/**
 * Copies stored views of images, exactly as the teacher saw them, with what it said about each.
 *
 * @param draws 1 uniform variate an image: which view
 */
export function knownBatch(
  images: LabelledImages,
  knowledge: TrainingKnowledge,
  indices: Uint32Array,
  draws: Float32Array,
  temperature: number,
): Batch {
  const size = images.width * images.height * 3;
  const rgb = new Float32Array(indices.length * size);
  const labels = new Float32Array(indices.length * knowledge.classes);
  const teacher = new Float32Array(indices.length * knowledge.classes);
  indices.forEach((index, i) => {
    const number = Math.floor(draws[i]! * knowledge.views);
    const view = knowledge.viewOf(index, number);
    const { image: other, share } = view.blend ?? { image: index, share: 1 };
    labels[i * knowledge.classes + images.labels[index]!]! += share;
    labels[i * knowledge.classes + images.labels[other]!]! += 1 - share;
    writeImageView(images, index, view, rgb, i * size);
    knowledge.restore(index, number, temperature, teacher, i * knowledge.classes);
  });
  return { rgb, labels, teacher };
}
