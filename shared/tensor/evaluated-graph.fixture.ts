/** For tests: a small graph, written and run in one call. */
import { GradientGraph, type Value } from './gradient-graph.js';
import { GradientOps } from './gradient-ops.js';
import { GraphSession } from './graph-session.js';

export interface Evaluated {
  readonly values: Float32Array[];
  /** Of the sum of the first value times `slope`, in each variable. */
  readonly gradients: Float32Array[];
}

/**
 * Values of a graph and the gradient of the first.
 *
 * @param inputs become variables
 * @param slope of the first value; default: ones
 */
export function evaluated(
  inputs: readonly { shape: readonly number[]; data: Float32Array }[],
  build: (ops: GradientOps, variables: Value[]) => Value[],
  slope?: Float32Array,
): Evaluated {
  const graph = new GradientGraph();
  const ops = new GradientOps(graph);
  const variables = inputs.map(({ shape, data }) => ({ ...graph.constant(shape, data), varies: true }));
  const values = build(ops, variables);
  const [first] = values as [Value];
  const weighted = slope ? ops.mul(first, graph.constant(first.shape, slope)) : first;
  const loss = ops.sum(weighted, [...first.shape.keys()]);
  const gradients = first.varies ? graph.gradient(loss, variables) : [];
  const session = new GraphSession(graph.finish());
  try {
    const fetched = [...values, ...gradients];
    const got = session.run(
      [],
      fetched.map(({ node }) => node),
    );
    return { values: got.slice(0, values.length), gradients: got.slice(values.length) };
  } finally {
    session.dispose();
  }
}
