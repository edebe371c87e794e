import type { GradientGraph, Value } from './gradient-graph.js';
import { DataType } from './saved-model.js';

const FLOAT = { type: DataType.float32 } as const;
const INT = { type: DataType.int32 } as const;

/** Arithmetic on the values of a graph, with gradients. Binary operations broadcast. */
export class GradientOps {
  readonly graph: GradientGraph;

  constructor(graph: GradientGraph) {
    this.graph = graph;
  }

  add(a: Value, b: Value): Value {
    return this.graph.node('AddV2', [a, b], broadcast(a.shape, b.shape), {
      slopes: (dy) => [this.#reduced(dy, a.shape), this.#reduced(dy, b.shape)],
    });
  }

  mul(a: Value, b: Value): Value {
    return this.graph.node('Mul', [a, b], broadcast(a.shape, b.shape), {
      slopes: (dy) => [this.#reduced(this.mul(dy, b), a.shape), this.#reduced(this.mul(dy, a), b.shape)],
    });
  }

  scaled = (x: Value, factor: number): Value => (factor === 1 ? x : this.mul(x, this.graph.scalar(factor)));

  /** a x + b. */
  affine = (x: Value, a: number, b: number): Value => this.add(this.scaled(x, a), this.graph.scalar(b));

  relu(x: Value): Value {
    const y: Value = this.graph.node('Relu', [x], x.shape, {
      slopes: (dy) => [this.graph.node('ReluGrad', [dy, y], x.shape)],
    });
    return y;
  }

  sigmoid = (x: Value): Value => this.#byOutput('Sigmoid', x);
  sqrt = (x: Value): Value => this.#byOutput('Sqrt', x);
  rsqrt = (x: Value): Value => this.#byOutput('Rsqrt', x);

  log(x: Value): Value {
    return this.graph.node('Log', [x], x.shape, { slopes: (dy) => [this.#quotient(dy, x)] });
  }

  /** log(1 + x). */
  log1p(x: Value): Value {
    return this.graph.node('Log1p', [x], x.shape, { slopes: (dy) => [this.#quotient(dy, this.affine(x, 1, 1))] });
  }

  /** Between low and high. @throws Error where a parameter went into x: it has no gradient */
  clip(x: Value, low: number, high: number): Value {
    if (x.varies) throw new Error('clip has no gradient');
    const capped = this.graph.node('Minimum', [x, this.graph.scalar(high)], x.shape);
    return this.graph.node('Maximum', [capped, this.graph.scalar(low)], x.shape);
  }

  sum = (x: Value, axes: readonly number[], keep = false): Value => this.#reduce('Sum', x, axes, keep, 1);

  mean(x: Value, axes: readonly number[], keep = false): Value {
    return this.#reduce(
      'Mean',
      x,
      axes,
      keep,
      axes.reduce((count, axis) => count * x.shape[axis]!, 1),
    );
  }

  reshape(x: Value, shape: readonly number[], name?: string): Value {
    if (!name && same(x.shape, shape)) return x;
    return this.graph.node('Reshape', [x, this.graph.ints(...shape)], shape, {
      ...(name && { name }),
      attributes: { T: FLOAT, Tshape: INT },
      slopes: (dy) => [this.reshape(dy, x.shape)],
    });
  }

  /** Side by side along an axis. */
  concat(xs: readonly Value[], axis: number): Value {
    const shape = xs[0]!.shape.with(
      axis,
      xs.reduce((total, x) => total + x.shape[axis]!, 0),
    );
    const where = this.graph.constant([], Int32Array.of(axis));
    return this.graph.node('ConcatV2', [...xs, where], shape, {
      attributes: { T: FLOAT, N: { int: xs.length }, Tidx: INT },
      slopes: (dy) => {
        let at = 0;
        return [...xs, where].map((x) => {
          if (x === where) return where;
          const begin = this.graph.ints(...shape.map((_, i) => (i === axis ? at : 0)));
          at += x.shape[axis]!;
          return this.graph.node('Slice', [dy, begin, this.graph.ints(...x.shape)], x.shape, {
            attributes: { T: FLOAT, Index: INT },
          });
        });
      },
    });
  }

  /** The whole of x, `times` times below itself. */
  tile(x: Value, times: number): Value {
    if (times === 1) return x;
    const [n, ...rest] = x.shape as [number, ...number[]];
    return this.graph.node('Tile', [x, this.graph.ints(times, ...rest.map(() => 1))], [n * times, ...rest], {
      attributes: { T: FLOAT, Tmultiples: INT },
      slopes: (dy) => [this.sum(this.reshape(dy, [times, n, ...rest]), [0])],
    });
  }

  /** 1 where index < count, else 0: count [N, 1] to [N, length]. */
  prefixMask(count: Value, length: number): Value {
    const shape = [count.shape[0]!, length];
    const indices = this.graph.constant(
      [1, length],
      Float32Array.from({ length }, (_, i) => i),
    );
    return this.cast(this.graph.node('Less', [indices, count], shape), DataType.bool, DataType.float32);
  }

  /** Without a gradient. */
  cast(x: Value, from: DataType, to: DataType): Value {
    const attributes = { SrcT: { type: from }, DstT: { type: to }, Truncate: { bool: false } };
    return this.graph.node('Cast', [x], x.shape, { attributes });
  }

  #byOutput(op: string, x: Value): Value {
    const y: Value = this.graph.node(op, [x], x.shape, {
      slopes: (dy) => [this.graph.node(`${op}Grad`, [y, dy], x.shape)],
    });
    return y;
  }

  #quotient = (a: Value, b: Value): Value => this.graph.node('RealDiv', [a, b], broadcast(a.shape, b.shape));

  #reduce(op: string, x: Value, axes: readonly number[], keep: boolean, count: number): Value {
    const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
    const shape = keep ? kept : x.shape.filter((_, i) => !axes.includes(i));
    return this.graph.node(op, [x, this.graph.ints(...axes)], shape, {
      attributes: { T: FLOAT, Tidx: INT, keep_dims: { bool: keep } },
      slopes: (dy) => {
        const each = this.scaled(this.reshape(dy, kept), 1 / count);
        const attributes = { T: FLOAT, Tidx: INT };
        return [this.graph.node('BroadcastTo', [each, this.graph.ints(...x.shape)], x.shape, { attributes })];
      },
    });
  }

  /** Undoes a broadcast: sums over what was repeated. */
  #reduced(dy: Value, shape: readonly number[]): Value {
    const extra = dy.shape.length - shape.length;
    const axes = [...dy.shape.keys()].filter((i) => i < extra || (shape[i - extra] === 1 && dy.shape[i] !== 1));
    return axes.length === 0 ? dy : this.reshape(this.sum(dy, axes), shape);
  }
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const length = Math.max(a.length, b.length);
  const at = (shape: readonly number[], i: number) => shape[i - (length - shape.length)] ?? 1;
  return Array.from({ length }, (_, i) => Math.max(at(a, i), at(b, i)));
}

const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, i) => n === b[i]);
