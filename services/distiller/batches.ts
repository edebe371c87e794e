import { viewFromDraws, writeView } from '../../shared/data/augment.js';

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
  labels: Int32Array;
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
export function augmentedBatch(images: LabelledImages, indices: Uint32Array, draws: Float32Array): Batch {
  const size = images.width * images.height * 3;
  const rgb = new Float32Array(indices.length * size);
  const labels = new Int32Array(indices.length);
  indices.forEach((index, i) => {
    labels[i] = images.labels[index]!;
    const view = viewFromDraws(draws[3 * i]!, draws[3 * i + 1]!, draws[3 * i + 2]!);
    writeView(images.rgb, index * size, images, view, rgb, i * size);
  });
  return { rgb, labels };
}
