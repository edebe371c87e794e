import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadTensorFlow, nativeBackend, type TensorFlowBinding } from './native.js';

/** What a node of a graph is in one run. */
export interface Feed {
  node: string;
  shape: readonly number[];
  data: Float32Array | Int32Array | Uint8Array;
}

/**
 * A graph with variables of its own, run in one TensorFlow call. Blocks the calling thread. Any node can be fed, whatever
 * would compute it otherwise.
 */
export class GraphSession {
  readonly #binding: TensorFlowBinding;
  readonly #session: number;

  /**
   * @param savedModel content of `saved_model.pb`
   * @throws Error when TensorFlow is not set up, or cannot load the graph
   */
  constructor(savedModel: Uint8Array) {
    this.#binding = nativeBackend(loadTensorFlow()).binding;
    const folder = mkdtempSync(path.join(os.tmpdir(), 'semlink-graph-'));
    try {
      writeFileSync(path.join(folder, 'saved_model.pb'), savedModel);
      this.#session = this.#binding.loadSavedModel(folder, 'serve');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** @returns the float32 values of the fetched nodes, fresh arrays */
  run(feeds: readonly Feed[], fetches: readonly string[]): Float32Array[] {
    const binding = this.#binding;
    const ids: number[] = [];
    try {
      for (const { shape, data } of feeds) ids.push(binding.createTensor([...shape], typeOf(binding, data), data));
      const fed = feeds.map(({ node }) => node).join(',');
      const outputs = binding.runSavedModel(this.#session, [...ids], fed, fetches.join(','));
      ids.push(...outputs.map(({ id }) => id));
      return outputs.map(({ id }) => Float32Array.from(binding.tensorDataSync(id)));
    } finally {
      for (const id of ids) binding.deleteTensor(id);
    }
  }

  /** Frees the graph and its variables. */
  dispose(): void {
    this.#binding.deleteSavedModel(this.#session);
  }
}

function typeOf(binding: TensorFlowBinding, data: Feed['data']): number {
  if (data instanceof Float32Array) return binding.TF_FLOAT;
  return data instanceof Int32Array ? binding.TF_INT32 : binding.TF_UINT8;
}
