import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { DataType } from './saved-model.js';
import type { SessionPorts } from './session.js';

type Runtime = typeof import('onnxruntime-node');

/** An ONNX model run by ONNX Runtime on the CPU, in the thread that calls. */
export class OnnxSession {
  readonly #runtime: Runtime;
  readonly #session: InferenceSession;
  readonly #ports: SessionPorts;

  private constructor(runtime: Runtime, session: InferenceSession, ports: SessionPorts) {
    this.#runtime = runtime;
    this.#session = session;
    this.#ports = ports;
  }

  /**
   * @param model content of an ONNX file
   * @param threads threads of one run
   * @throws Error when ONNX Runtime cannot be loaded here or the model not by it
   */
  static async open(model: Uint8Array, ports: SessionPorts, threads: number): Promise<OnnxSession> {
    const runtime = await import('onnxruntime-node').catch((cause: unknown) => {
      throw new Error('ONNX Runtime cannot be loaded on this machine; set --engine-backend tensorflow', { cause });
    });
    try {
      const session = await runtime.InferenceSession.create(model, {
        executionProviders: ['cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        // Threads that wait by spinning take the processor from whatever else runs.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      });
      return new OnnxSession(runtime, session, ports);
    } catch (cause) {
      throw new Error(`cannot load the ONNX model: ${(cause as Error).message}`, { cause });
    }
  }

  /**
   * @param inputs one array a port, batch * (product of its shape) elements
   * @returns the output, batch * (product of its shape) elements, a fresh array
   */
  async run(batch: number, inputs: (Float32Array | Uint8Array)[]): Promise<Float32Array> {
    const feeds: Record<string, Tensor> = {};
    this.#ports.inputs.forEach((port, i) => {
      const type = port.type === DataType.uint8 ? 'uint8' : 'float32';
      feeds[port.name] = new this.#runtime.Tensor(type, inputs[i]!, [batch, ...port.shape]);
    });
    const outputs = await this.#session.run(feeds, [this.#ports.output]);
    return outputs[this.#ports.output]!.data as Float32Array;
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
