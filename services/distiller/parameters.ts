import type { Value } from '../../shared/tensor/gradient-graph.js';
import type { GradientOps } from '../../shared/tensor/gradient-ops.js';
import { DataType } from '../../shared/tensor/saved-model.js';
import type { StatelessRandom } from '../../shared/tensor/stateless-random.js';

/** How a parameter starts: normal with standard deviation `deviation` around `mean`. */
export interface Initial {
  mean: number;
  deviation: number;
  /** Whether weight decay applies: to weights, not to biases and scales. */
  decay: boolean;
}

interface Entry extends Initial {
  name: string;
  shape: number[];
  size: number;
}

/**
 * All trained numbers of a model as one vector, in order of first use, and each as a value of the training graph.
 *
 * One vector makes the optimiser, the moving average and a checkpoint a few operations instead of hundreds.
 */
export class Parameters {
  readonly entries: Entry[] = [];
  readonly #ops: GradientOps;
  readonly #values = new Map<string, Value>();

  constructor(ops: GradientOps) {
    this.#ops = ops;
  }

  /** Numbers of all parameters that were asked for so far. */
  get size(): number {
    return this.entries.reduce((sum, entry) => sum + entry.size, 0);
  }

  /** The parameter's value; it has its place in the vector from the first time it is asked for. */
  get(name: string, shape: number[], initial: Initial): Value {
    const known = this.#values.get(name);
    if (known) return known;
    const value = this.#ops.graph.variable(`parameter/${name}`, shape);
    this.entries.push({ name, shape, size: shape.reduce((a, b) => a * b, 1), ...initial });
    this.#values.set(name, value);
    return value;
  }

  /** Values in the order of the vector. */
  values(): Value[] {
    return this.entries.map(({ name }) => this.#values.get(name)!);
  }

  /** Says where the values come from: the vector of them all. To be called once, when all have been asked for. */
  define(flat: Value): void {
    const { graph } = this.#ops;
    const sizes = this.entries.map(({ size }) => size);
    const parts = graph.node(
      'SplitV',
      [flat, graph.ints(...sizes), graph.constant([], Int32Array.of(0))],
      [sizes[0]!],
      {
        attributes: {
          T: { type: DataType.float32 },
          Tlen: { type: DataType.int32 },
          num_split: { int: sizes.length },
        },
      },
    );
    this.entries.forEach(({ name, shape, size }, i) => {
      this.#ops.reshape(graph.output(parts, i, [size]), shape, `parameter/${name}`);
    });
  }

  /** One vector of values in the parameters' order and shapes. */
  flat(values: readonly Value[]): Value {
    return this.#ops.concat(
      values.map((value, i) => this.#ops.reshape(value, [this.entries[i]!.size])),
      0,
    );
  }

  /** The vector to start from, a function of the seed. */
  initial(random: StatelessRandom, seed: number): Float32Array {
    const vector = new Float32Array(this.size);
    let at = 0;
    this.entries.forEach(({ size, mean, deviation }, i) => {
      const noise = random.normal(size, seed, i);
      for (let j = 0; j < size; j++) vector[at + j] = Math.fround(noise[j]! * Math.fround(deviation)) + mean;
      at += size;
    });
    return vector;
  }

  /** Each parameter's part of a vector, by name; views. */
  parts(vector: Float32Array): Map<string, { shape: number[]; data: Float32Array }> {
    let at = 0;
    return new Map(
      this.entries.map(({ name, shape, size }) => {
        const data = vector.subarray(at, at + size);
        at += size;
        return [name, { shape, data }];
      }),
    );
  }

  /** 1 where weight decay applies, else 0. */
  decayMask(): Float32Array {
    const mask = new Float32Array(this.size);
    let at = 0;
    for (const { decay, size } of this.entries) {
      if (decay) mask.fill(1, at, at + size);
      at += size;
    }
    return mask;
  }
}
