/** How a model wants its images. */
export interface InputFormat {
  /** Pixels along both edges; undefined: as they are. */
  readonly size?: number | undefined;
  readonly layout: 'nchw' | 'nhwc';
  /** x = (pixel / 255 - mean) / std, for R, G, B. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/**
 * Normalises a batch of images and brings it to size and layout.
 *
 * @param rgb count x height x width x 3 bytes
 * @returns the values and their shape, batch first
 */
export function modelInput(
  rgb: Uint8Array,
  count: number,
  { width, height }: { readonly width: number; readonly height: number },
  format: InputFormat,
): { input: Float32Array; shape: number[] } {
  const [outWidth, outHeight] = format.size === undefined ? [width, height] : [format.size, format.size];
  const rows = resampling(height, outHeight);
  const columns = resampling(width, outWidth);
  const plane = outWidth * outHeight;
  const input = new Float32Array(count * plane * 3);
  const channelsFirst = format.layout === 'nchw';
  for (let c = 0; c < 3; c++) {
    const scale = 1 / (255 * format.std[c]!);
    const shift = -format.mean[c]! / format.std[c]!;
    for (let image = 0; image < count; image++) {
      const from = image * width * height * 3 + c;
      let to = image * plane * 3 + (channelsFirst ? c * plane : c);
      const step = channelsFirst ? 1 : 3;
      for (let y = 0; y < outHeight; y++) {
        const above = from + 3 * width * rows.first[y]!;
        const below = from + 3 * width * rows.second[y]!;
        const v = rows.weight[y]!;
        for (let x = 0; x < outWidth; x++, to += step) {
          const left = 3 * columns.first[x]!;
          const right = 3 * columns.second[x]!;
          const u = columns.weight[x]!;
          let value = rgb[above + left]!;
          if (u > 0 || v > 0) {
            const upper = value + u * (rgb[above + right]! - value);
            const lower = rgb[below + left]! + u * (rgb[below + right]! - rgb[below + left]!);
            value = upper + v * (lower - upper);
          }
          input[to] = value * scale + shift;
        }
      }
    }
  }
  const shape = channelsFirst ? [count, 3, outHeight, outWidth] : [count, outHeight, outWidth, 3];
  return { input, shape };
}

/**
 * Bilinear resampling along one edge, pixel centres at (i + 0.5) / n, the outermost pixels going on beyond the border:
 * out[i] = (1 - weight[i]) in[first[i]] + weight[i] in[second[i]].
 */
function resampling(from: number, to: number): { first: Int32Array; second: Int32Array; weight: Float64Array } {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const weight = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    first[i] = Math.floor(at);
    second[i] = Math.min(first[i]! + 1, from - 1);
    weight[i] = at - first[i]!;
  }
  return { first, second, weight };
}
