import type { GradientGraph, Value } from './gradient-graph.js';
import { DataType } from './saved-model.js';

const FLOAT = { type: DataType.float32 } as const;

/** A float32 vector that a session keeps between runs, where its graph runs. To be assigned before it is read. */
export class GraphVariable {
  /** The node of its handle, an input of ops that change it in place. */
  readonly handle: Value;
  readonly #graph: GradientGraph;
  readonly #shape: readonly number[];
  readonly #name: string;

  constructor(graph: GradientGraph, name: string, size: number) {
    this.#graph = graph;
    this.#name = name;
    this.#shape = [size];
    this.handle = graph.node('VarHandleOp', [], [], {
      name,
      attributes: { dtype: FLOAT, shape: { shape: [size] }, shared_name: { string: name }, container: { string: '' } },
    });
  }

  /** Its value once the nodes `after` have run, under a node of the name `name/part`. */
  read(part: string, after: readonly string[] = []): Value {
    const attributes = { dtype: FLOAT };
    return this.#graph.node('ReadVariableOp', [this.handle], this.#shape, {
      name: `${this.#name}/${part}`,
      attributes,
      after,
    });
  }

  /** @returns the node that does it */
  assign(value: Value, after: readonly string[] = []): string {
    return this.#change('AssignVariableOp', value, after);
  }

  /** Takes the value away from it. @returns the node that does it */
  subtract(value: Value, after: readonly string[] = []): string {
    return this.#change('AssignSubVariableOp', value, after);
  }

  #change(op: string, value: Value, after: readonly string[]): string {
    return this.#graph.node(op, [this.handle, value], [], { attributes: { dtype: FLOAT }, after }).node;
  }
}
