import { Worker } from 'node:worker_threads';
import { compiledModule } from '../build/compiled.js';
import type { EngineAnswer, EngineRequest } from './engine-worker.js';
import { setTensorFlowEnvironment } from './native.js';
import type { SessionPorts } from './session.js';

/** Output of one session call. */
export interface EngineOutput {
  /** batch * (product of the output's shape) numbers. */
  output: Float32Array;
  /** Time inside the session call. */
  seconds: number;
}

/** A model loaded by an engine. */
export interface EngineModel {
  /**
   * Runs one batch. The inputs' buffers are handed over to the engine's thread and are empty afterwards.
   *
   * @param inputs one array an input port, batch * (product of its shape) elements
   */
  run(batch: number, inputs: (Float32Array | Uint8Array)[]): Promise<EngineOutput>;
}

interface Waiting {
  resolve(answer: EngineAnswer): void;
  reject(error: Error): void;
}

/**
 * TensorFlow in a thread of its own, so that it never holds up the thread that serves gRPC. Requests run one after the
 * other in the order of the calls.
 */
export class Engine {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #failure: Error | undefined;
  /** Called once when the thread dies; every waiting and later call fails with the same error. */
  onFailure: ((error: Error) => void) | undefined;

  /** @param threads TensorFlow threads of one session call */
  constructor(options: { threads: number }) {
    setTensorFlowEnvironment(options.threads);
    this.#worker = new Worker(compiledModule('shared/tensor/engine-worker.ts'), { name: 'semlink-engine' });
    this.#worker.on('message', (answer: EngineAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('error' in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`the TensorFlow thread ended (exit code ${code})`)));
  }

  /** @throws Error when TensorFlow is not set up or the model cannot be loaded */
  async load(folder: string, ports: SessionPorts): Promise<EngineModel> {
    const loaded = await this.#ask({ id: this.#next++, kind: 'load', folder, ports }, []);
    const { session } = loaded as Extract<EngineAnswer, { session: number }>;
    return {
      run: async (batch, inputs) => {
        const buffers = inputs.map((input) => input.buffer as ArrayBuffer);
        const answer = await this.#ask({ id: this.#next++, kind: 'run', session, batch, inputs }, buffers);
        return answer as EngineOutput & EngineAnswer;
      },
    };
  }

  /** Ends the thread; what still waits fails. */
  async close(): Promise<void> {
    this.#failure ??= new Error('the engine has been closed');
    await this.#worker.terminate();
    this.#fail(this.#failure);
  }

  #ask(request: EngineRequest, transfer: ArrayBuffer[]): Promise<EngineAnswer> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.postMessage(request, transfer);
    });
  }

  #fail(error: Error): void {
    const first = this.#failure === undefined;
    this.#failure ??= error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(this.#failure);
    if (first) this.onFailure?.(this.#failure);
  }
}
