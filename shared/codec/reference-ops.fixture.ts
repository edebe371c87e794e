/**
 * For tests: the codec's networks in plain loops and double precision, written from what each operation means and not
 * from what TensorFlow does, so that the frozen graphs have something independent to agree with.
 */
import type { NetworkOps } from './network.js';

/** A batched value, row-major; shape includes the batch. */
export interface Reference {
  shape: number[];
  data: Float64Array;
}

/** What a weight is for; decides what random numbers it may be filled with. */
export type WeightKind = 'kernel' | 'bias' | 'scale' | 'offset' | 'mean' | 'variance';

/** Gives the numbers of a weight. */
export type WeightSource = (name: string, kind: WeightKind, shape: number[]) => ArrayLike<number>;

const NORM_EPSILON = 1e-3;

const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** Interprets a network by plain arithmetic; batch normalisation with the stored statistics, not folded. */
export class ReferenceOps implements NetworkOps<Reference> {
  readonly #weights: WeightSource;

  constructor(weights: WeightSource) {
    this.#weights = weights;
  }

  convNorm(x: Reference, name: string, s: { filters: number; kernel: number; stride: number }): Reference {
    const [n, h, w, c] = x.shape as [number, number, number, number];
    const { filters, kernel: size, stride } = s;
    const kernel = this.#weights(`${name}/kernel`, 'kernel', [size, size, c, filters]);
    const [scale, offset, mean, variance] = (['scale', 'offset', 'mean', 'variance'] as const).map((part) =>
      this.#weights(`${name}/${part}`, part, [filters]),
    ) as [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>, ArrayLike<number>];
    const height = Math.ceil(h / stride);
    const width = Math.ceil(w / stride);
    // SAME: as much padding as the last window needs, the odd row or column of it behind.
    const top = Math.floor(Math.max(0, (height - 1) * stride + size - h) / 2);
    const left = Math.floor(Math.max(0, (width - 1) * stride + size - w) / 2);
    const data = new Float64Array(n * height * width * filters);
    let to = 0;
    for (let image = 0; image < n; image++) {
      for (let y = 0; y < height; y++) {
        for (let column = 0; column < width; column++) {
          for (let f = 0; f < filters; f++) {
            let sum = 0;
            for (let ky = 0; ky < size; ky++) {
              const row = y * stride + ky - top;
              if (row < 0 || row >= h) continue;
              for (let kx = 0; kx < size; kx++) {
                const at = column * stride + kx - left;
                if (at < 0 || at >= w) continue;
                const from = ((image * h + row) * w + at) * c;
                const tap = (ky * size + kx) * c * filters + f;
                for (let i = 0; i < c; i++) sum += x.data[from + i]! * kernel[tap + i * filters]!;
              }
            }
            const normal = (sum - mean[f]!) / Math.sqrt(variance[f]! + NORM_EPSILON);
            data[to++] = normal * scale[f]! + offset[f]!;
          }
        }
      }
    }
    return { shape: [n, height, width, filters], data };
  }

  dense(x: Reference, name: string, units: number): Reference {
    const [n, inputs] = x.shape as [number, number];
    const kernel = this.#weights(`${name}/kernel`, 'kernel', [inputs, units]);
    const bias = this.#weights(`${name}/bias`, 'bias', [units]);
    const data = new Float64Array(n * units);
    for (let row = 0; row < n; row++) {
      for (let u = 0; u < units; u++) {
        let sum = bias[u]!;
        for (let i = 0; i < inputs; i++) sum += x.data[row * inputs + i]! * kernel[i * units + u]!;
        data[row * units + u] = sum;
      }
    }
    return { shape: [n, units], data };
  }

  relu = (x: Reference) => each(x, (v) => Math.max(v, 0));
  sigmoid = (x: Reference) => each(x, (v) => 1 / (1 + Math.exp(-v)));
  log = (x: Reference) => each(x, Math.log);
  sqrt = (x: Reference) => each(x, Math.sqrt);
  rsqrt = (x: Reference) => each(x, (v) => 1 / Math.sqrt(v));
  affine = (x: Reference, a: number, b: number) => each(x, (v) => a * v + b);
  clip = (x: Reference, low: number, high: number) => each(x, (v) => Math.min(Math.max(v, low), high));
  add = (a: Reference, b: Reference) => pairwise(a, b, (p, q) => p + q);
  mul = (a: Reference, b: Reference) => pairwise(a, b, (p, q) => p * q);

  sum(x: Reference, axes: number[]): Reference {
    const shape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const data = new Float64Array(sizeOf(shape));
    x.data.forEach((value, i) => {
      data[positionIn(shape, indexOf(x.shape, i))]! += value;
    });
    return { shape, data };
  }

  concat(xs: Reference[]): Reference {
    const n = xs[0]!.shape[0]!;
    const rows = Array.from({ length: n }, (_, row) =>
      xs.flatMap(({ shape, data }) => Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!))),
    );
    return { shape: [n, rows[0]!.length], data: Float64Array.from(rows.flat()) };
  }

  reshape = (x: Reference, shape: number[]): Reference => ({ shape: [x.shape[0]!, ...shape], data: x.data });

  globalAverage(x: Reference): Reference {
    const [n, h, w, c] = x.shape as [number, number, number, number];
    const data = new Float64Array(n * c);
    x.data.forEach((value, i) => {
      data[Math.floor(i / (h * w * c)) * c + (i % c)]! += value / (h * w);
    });
    return { shape: [n, c], data };
  }

  prefixMask(count: Reference, length: number): Reference {
    const n = count.shape[0]!;
    const data = Float64Array.from({ length: n * length }, (_, i) =>
      i % length < count.data[Math.floor(i / length)]! ? 1 : 0,
    );
    return { shape: [n, length], data };
  }
}

/** Probabilities of class scores, row by row. */
export function referenceSoftmax({ shape, data }: Reference): Float64Array {
  const classes = shape[1]!;
  return data.map((_, i) => {
    const row = data.subarray(i - (i % classes), i - (i % classes) + classes);
    const top = Math.max(...row);
    return Math.exp(data[i]! - top) / row.reduce((sum, v) => sum + Math.exp(v - top), 0);
  });
}

function each(x: Reference, f: (v: number) => number): Reference {
  return { shape: x.shape, data: x.data.map((v) => f(v)) };
}

/** Broadcasts sizes of 1; both values have the same rank. */
function pairwise(a: Reference, b: Reference, f: (p: number, q: number) => number): Reference {
  if (a.shape.length !== b.shape.length) throw new Error(`ranks differ: [${a.shape}] and [${b.shape}]`);
  const shape = a.shape.map((size, i) => Math.max(size, b.shape[i]!));
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const index = indexOf(shape, i);
    return f(a.data[positionIn(a.shape, index)]!, b.data[positionIn(b.shape, index)]!);
  });
  return { shape, data };
}

function indexOf(shape: number[], position: number): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1, rest = position; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}

function positionIn(shape: number[], index: number[]): number {
  return shape.reduce((at, size, axis) => at * size + (size === 1 ? 0 : index[axis]!), 0);
}
