import { loadTensorFlow, nativeBackend, type TensorFlowBinding } from './native.js';
import { DataType } from './saved-model.js';

/** What a model is computed on. */
export type Device = 'cpu' | 'gpu';

/** One input of a graph: its name, element type and shape without the batch dimension. */
export interface InputPort {
  name: string;
  type: typeof DataType.float32 | typeof DataType.uint8;
  shape: number[];
}

/** The ports a session feeds and fetches. */
export interface SessionPorts {
  inputs: InputPort[];
  /** Name of the single float32 output. */
  output: string;
}

/**
 * A frozen SavedModel, run in one TensorFlow session call. Blocks the calling thread; only the engine worker and batch
 * jobs use it directly.
 */
export class ModelSession {
  static #tensors = 0;
  /** Where TensorFlow computes: without a driver, or with a CUDA library missing, it takes the CPU and says nothing. */
  readonly device: Device;
  readonly #binding: TensorFlowBinding;
  readonly #session: number;
  readonly #ports: SessionPorts;
  readonly #inputNames: string;

  /** @throws Error when TensorFlow is not set up, or the folder holds no loadable SavedModel */
  constructor(folder: string, ports: SessionPorts) {
    const { binding, isUsingGpuDevice } = nativeBackend(loadTensorFlow());
    this.#binding = binding;
    this.device = isUsingGpuDevice ? 'gpu' : 'cpu';
    try {
      this.#session = this.#binding.loadSavedModel(folder, 'serve');
    } catch (cause) {
      throw new Error(`cannot load the TensorFlow model in ${folder}: ${(cause as Error).message}`, { cause });
    }
    this.#ports = ports;
    this.#inputNames = ports.inputs.map((port) => port.name).join(',');
  }

  /** Tensors that the sessions of this thread hold: those of the call at hand, else a leak. */
  static get tensorsAlive(): number {
    return ModelSession.#tensors;
  }

  /**
   * @param inputs one array a port, batch * (product of its shape) elements
   * @returns the output, batch * (product of its shape) elements, a fresh array
   */
  run(batch: number, inputs: (Float32Array | Uint8Array)[]): Float32Array {
    const binding = this.#binding;
    const ids: number[] = [];
    try {
      this.#ports.inputs.forEach((port, i) => {
        const type = port.type === DataType.uint8 ? binding.TF_UINT8 : binding.TF_FLOAT;
        ids.push(binding.createTensor([batch, ...port.shape], type, inputs[i]!));
        ModelSession.#tensors++;
      });
      const [output] = binding.runSavedModel(this.#session, ids, this.#inputNames, this.#ports.output);
      ids.push(output!.id);
      ModelSession.#tensors++;
      return Float32Array.from(binding.tensorDataSync(output!.id));
    } finally {
      for (const id of ids) {
        binding.deleteTensor(id);
        ModelSession.#tensors--;
      }
    }
  }

  dispose(): void {
    this.#binding.deleteSavedModel(this.#session);
  }
}
