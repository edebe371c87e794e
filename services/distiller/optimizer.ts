import type { GradientGraph, Value } from '../../shared/tensor/gradient-graph.js';
import type { GradientOps } from '../../shared/tensor/gradient-ops.js';
import type { Feed, GraphSession } from '../../shared/tensor/graph-session.js';
import { GraphVariable } from '../../shared/tensor/graph-variable.js';
import { DataType } from '../../shared/tensor/saved-model.js';

/** What an optimiser needs to go on exactly where it stopped. */
export interface OptimizerState {
  step: number;
  weights: Float32Array;
  average: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

const BETA1 = 0.9;
const BETA2 = 0.99;
const EPSILON = 1e-8;
const VECTORS = ['weights', 'average', 'first', 'second'] as const;
type Vector = (typeof VECTORS)[number];

const FLOAT = { type: DataType.float32 } as const;
const RATES = 'rates';
const LOADED = 'state/loaded';

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) over one vector of weights, and an
 * exponential moving average of the weights, which is what gets published. Its vectors are variables of the graph's
 * session: they never pass through JavaScript, but where a state is loaded or asked for.
 */
export class AdamW {
  /** The weights at the start of a step; other weights may be fed in its place. */
  readonly weights: Value;
  readonly #ops: GradientOps;
  readonly #graph: GradientGraph;
  readonly #size: number;
  readonly #options: { weightDecay: number; averageDecay: number };
  readonly #variables: Record<Vector, GraphVariable>;
  readonly #states: Record<Vector, string>;

  /** @param size of the vector */
  constructor(ops: GradientOps, size: number, options: { weightDecay: number; averageDecay: number }) {
    this.#ops = ops;
    this.#graph = ops.graph;
    this.#size = size;
    this.#options = options;
    const each = <T>(make: (vector: Vector) => T) =>
      Object.fromEntries(VECTORS.map((vector) => [vector, make(vector)])) as Record<Vector, T>;
    this.#variables = each((vector) => new GraphVariable(this.#graph, vector, size));
    this.weights = this.#variables.weights.read('now');
    this.#states = each((vector) => this.#variables[vector].read('state').node);
    const loads = VECTORS.map((vector) =>
      this.#variables[vector].assign(this.#graph.placeholder(`${vector}/given`, DataType.float32, [size])),
    );
    this.#graph.node('Identity', [this.#graph.scalar(0)], [], { name: LOADED, after: loads });
  }

  /**
   * Writes one step along a gradient.
   *
   * @param gradient [size]
   * @param decayMask 1 where weight decay applies, else 0
   * @returns the node that has run when the step is taken
   */
  apply(gradient: Value, decayMask: Float32Array): string {
    const ops = this.#ops;
    const { weights, average, first, second } = this.#variables;
    const rates = this.#graph.placeholder(RATES, DataType.float32, [4]);
    const unpacked = this.#graph.node('Unpack', [rates], [], {
      attributes: { T: FLOAT, num: { int: 4 }, axis: { int: 0 } },
    });
    const [rate, epsilon, decay, follow] = [0, 1, 2, 3].map((i) => this.#graph.output(unpacked, i, [])) as Value[] as [
      Value,
      Value,
      Value,
      Value,
    ];
    const mask = this.#graph.constant([this.#size], decayMask);
    // Behind the gradient, which all that reads the weights goes into: then they can be changed in place.
    const decayed = weights.subtract(ops.mul(this.weights, ops.mul(mask, decay)), [gradient.node]);
    const [beta1, beta2, none] = [BETA1, BETA2, 0].map(this.#graph.scalar) as [Value, Value, Value];
    const stepped = this.#graph.node(
      'ResourceApplyAdam',
      [weights.handle, first.handle, second.handle, none, none, rate, beta1, beta2, epsilon, gradient],
      [],
      { after: [decayed] },
    ).node;
    const behind = ops.add(average.read('before'), ops.scaled(weights.read('after', [stepped]), -1));
    return average.subtract(ops.mul(behind, follow));
  }

  /** What a step is fed beside its batch: its number, from 0, and the learning rate are all in there. */
  feed(step: number, learningRate: number): Feed {
    const { weightDecay, averageDecay } = this.#options;
    const correct1 = 1 - BETA1 ** (step + 1);
    const correct2 = Math.sqrt(1 - BETA2 ** (step + 1));
    // The average follows a young run faster, so that its first epochs can be judged.
    const keep = Math.min(averageDecay, (step + 1) / (step + 11));
    // rate m / (sqrt(v) + epsilon), with the corrections of both moments in rate and epsilon.
    const values = [(learningRate * correct2) / correct1, EPSILON * correct2, learningRate * weightDecay];
    return { node: RATES, shape: [4], data: Float32Array.of(...values, 1 - keep) };
  }

  /** Puts a state into a session of the graph. */
  load(session: GraphSession, state: Omit<OptimizerState, 'step'>): void {
    const feeds = VECTORS.map((vector) => ({ node: `${vector}/given`, shape: [this.#size], data: state[vector] }));
    session.run(feeds, [LOADED]);
  }

  /** The state in a session of the graph. */
  state(session: GraphSession): Omit<OptimizerState, 'step'> {
    const values = session.run(
      [],
      VECTORS.map((vector) => this.#states[vector]),
    );
    return Object.fromEntries(VECTORS.map((vector, i) => [vector, values[i]!])) as Record<Vector, Float32Array>;
  }
}

/** Learning rate of step `step` of `steps`: linear rise over the first part, then a cosine to almost nothing. */
export function learningRateAt(step: number, steps: number, peak: number, rise: number): number {
  const at = (step + 1) / steps;
  if (at < rise) return (peak * at) / rise;
  return peak * (0.002 + 0.998 * 0.5 * (1 + Math.cos((Math.PI * (at - rise)) / (1 - rise))));
}
