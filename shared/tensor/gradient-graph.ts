import { type Attribute, DataType, SavedModelGraph } from './saved-model.js';

/** A value of a graph. */
export interface Value {
  /** Its node, or `node:i` for a later output. */
  readonly node: string;
  /** The whole shape, batch included: a training graph is written for one batch size. */
  readonly shape: readonly number[];
  /** Whether a gradient goes back through it: it is a parameter, or one went into it. */
  readonly varies: boolean;
}

/** Gradients of a node's inputs, in their order, from that of its first output. Those of inputs that do not vary are dropped. */
export type Slopes = (slope: Value) => Value[];

export interface NodeOptions {
  /** Default: a name of its own. */
  readonly name?: string;
  /** Default: `T` float32. */
  readonly attributes?: Record<string, Attribute>;
  /** Absent: no gradient goes through it. */
  readonly slopes?: Slopes;
  /** Nodes that must have run before, beside the inputs. */
  readonly after?: readonly string[];
}

const FLOAT = { type: DataType.float32 } as const;

/**
 * Writes a TensorFlow graph together with the graph of its gradient: reverse-mode differentiation over the nodes, so that
 * a whole training step is one session call. What no fetched output needs, TensorFlow leaves out.
 */
export class GradientGraph {
  readonly #graph = new SavedModelGraph();
  /** Differentiable nodes in the order they were written, which is one in which they can be computed. */
  readonly #tape: { output: Value; inputs: readonly Value[]; slopes: Slopes }[] = [];
  #unnamed = 0;
  #recording = true;

  placeholder(name: string, type: DataType, shape: readonly number[]): Value {
    return { node: this.#graph.placeholder(name, type, [...shape]), shape, varies: false };
  }

  constant(shape: readonly number[], data: Float32Array | Int32Array): Value {
    const type = data instanceof Int32Array ? DataType.int32 : DataType.float32;
    return { node: this.#graph.constant(this.#name('Const'), type, [...shape], data), shape, varies: false };
  }

  scalar = (value: number): Value => this.constant([], Float32Array.of(value));
  ints = (...values: number[]): Value => this.constant([values.length], Int32Array.from(values));

  /** A value that gradients are wanted of; its node may be written later. */
  variable = (node: string, shape: readonly number[]): Value => ({ node, shape, varies: true });

  /** Adds a node; the value is its first output. */
  node(op: string, inputs: readonly Value[], shape: readonly number[], options: NodeOptions = {}): Value {
    const { attributes = { T: FLOAT }, slopes, after = [] } = options;
    const name = options.name ?? this.#name(op);
    const from = [...inputs.map(({ node }) => node), ...after.map((node) => `^${node}`)];
    this.#graph.node(op, name, from, attributes);
    const output = { node: name, shape, varies: false };
    return slopes ? this.differentiable(output, inputs, slopes) : output;
  }

  /** Says of a value that was made of several nodes what its gradients are. */
  differentiable(made: Value, inputs: readonly Value[], slopes: Slopes): Value {
    const varies = this.#recording && inputs.some((input) => input.varies);
    const output = { ...made, varies };
    if (varies) this.#tape.push({ output, inputs, slopes });
    return output;
  }

  /** Another output of a node. No gradient goes through it. */
  output = ({ node }: Value, index: number, shape: readonly number[]): Value => ({
    node: `${node}:${index}`,
    shape,
    varies: false,
  });

  /**
   * Gradient of a scalar.
   *
   * @param of values it depends on
   * @throws Error when it does not depend on one of them
   */
  gradient(loss: Value, of: readonly Value[]): Value[] {
    this.#recording = false;
    try {
      const slopes = new Map<string, Value[]>([[loss.node, [this.scalar(1)]]]);
      for (const { output, inputs, slopes: back } of this.#tape.toReversed()) {
        const parts = slopes.get(output.node);
        if (!parts) continue;
        back(this.#total(parts)).forEach((slope, i) => {
          const input = inputs[i]!;
          if (!input.varies) return;
          const known = slopes.get(input.node);
          if (known) known.push(slope);
          else slopes.set(input.node, [slope]);
        });
      }
      return of.map(({ node }) => {
        const parts = slopes.get(node);
        if (!parts) throw new Error(`the loss does not depend on "${node}"`);
        return this.#total(parts);
      });
    } finally {
      this.#recording = true;
    }
  }

  /** Content of `saved_model.pb`. */
  finish(): Uint8Array {
    return this.#graph.finish({}, {});
  }

  #total(parts: readonly Value[]): Value {
    const [first, second] = parts as [Value, Value | undefined];
    if (!second) return first;
    if (parts.length === 2) return this.node('AddV2', parts, first.shape);
    return this.node('AddN', parts, first.shape, { attributes: { T: FLOAT, N: { int: parts.length } } });
  }

  #name = (op: string) => `${op}_${this.#unnamed++}`;
}
