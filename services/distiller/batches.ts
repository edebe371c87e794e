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

const PAD = 4;

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
  const { width, height } = images;
  const size = width * height * 3;
  const rgb = new Float32Array(indices.length * size);
  const labels = new Int32Array(indices.length);
  const shift = (u: number) => Math.floor(u * (2 * PAD + 1)) - PAD;
  const columns = new Int32Array(width);
  indices.forEach((index, i) => {
    labels[i] = images.labels[index]!;
    const rows = shift(draws[3 * i]!);
    const cols = shift(draws[3 * i + 1]!);
    const flip = draws[3 * i + 2]! < 0.5;
    for (let x = 0; x < width; x++) columns[x] = 3 * mirror((flip ? width - 1 - x : x) + cols, width);
    let to = i * size;
    for (let y = 0; y < height; y++) {
      const row = index * size + 3 * width * mirror(y + rows, height);
      for (let x = 0; x < width; x++) {
        const from = row + columns[x]!;
        rgb[to++] = images.rgb[from]!;
        rgb[to++] = images.rgb[from + 1]!;
        rgb[to++] = images.rgb[from + 2]!;
      }
    }
  });
  return { rgb, labels };
}

function mirror(i: number, n: number): number {
  if (i < 0) return -i;
  return i >= n ? 2 * (n - 1) - i : i;
}
