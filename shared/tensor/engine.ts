import { EngineThread } from './engine-thread.js';
import type { EngineAnswer, EngineSource } from './engine-worker.js';
import { type BatchInputs, InputPool } from './input-pool.js';
import { setTensorFlowEnvironment } from './native.js';
import { OnnxSession } from './onnx-session.js';
import type { Device, SessionPorts } from './session.js';

export type { EngineSource } from './engine-worker.js';

/** Output of one session call. */
export interface EngineOutput {
  /** batch * (product of the output's shape) numbers. */
  output: Float32Array;
  /** Time inside the session call. */
  seconds: number;
}

/** A model loaded by an engine. */
export interface EngineModel {
  /** Batches that are computed at a time; further ones wait. */
  readonly parallel: number;
  /** Arrays to fill for `run`, one an input port; they hold what is left from earlier batches. */
  inputs(batch: number): BatchInputs;
  /**
   * Runs one batch on the instance with the least to do. The inputs are the engine's from now on: their buffers are
   * handed over to its thread.
   *
   * @param inputs one array an input port, batch * (product of its shape) elements
   */
  run(batch: number, inputs: BatchInputs): Promise<EngineOutput>;
}

export interface EngineOptions {
  /**
   * Threads of one session call. TensorFlow has one setting for a process: the first engine of a process that loads a
   * TensorFlow model decides for those that follow, and `TF_NUM_INTRAOP_THREADS` in the environment before all of them.
   * ONNX Runtime takes it for each model.
   */
  threads: number;
  /** Threads that each run a batch of their own. Default 1; 0: none, everything is computed in the caller's thread. */
  instances?: number;
  /**
   * Batches of at most so many run in the caller's thread, which saves two changes of threads (about 0.1 ms of processor
   * time) and holds up whatever else the thread does. ONNX models only: TensorFlow never runs there. Default 0.
   */
  inlineFrames?: number;
}

/**
 * TensorFlow or ONNX Runtime in threads of their own, so that they never hold up the thread that serves gRPC. The kind
 * of a model decides which of the two runs it.
 */
export class Engine {
  readonly #threads: EngineThread[];
  readonly #options: EngineOptions;
  #failed = false;
  #closed = false;
  #device: Device = 'cpu';
  /** Called once when a thread dies; every later call fails. */
  onFailure: ((error: Error) => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    setTensorFlowEnvironment(options.threads);
    const failed = (error: Error): void => {
      if (this.#failed) return;
      this.#failed = true;
      this.onFailure?.(error);
      for (const thread of this.#threads) void thread.close();
    };
    this.#threads = Array.from(
      { length: options.instances ?? 1 },
      (_, i) => new EngineThread(`semlink-engine-${i}`, failed),
    );
  }

  /**
   * Loads a model into every thread.
   *
   * @throws Error when TensorFlow is not set up or the model cannot be loaded
   */
  async load(source: EngineSource, ports: SessionPorts): Promise<EngineModel> {
    const ask = { kind: 'load', source, ports, threads: this.#options.threads } as const;
    const loaded = await Promise.all(this.#threads.map((thread) => thread.ask(ask)));
    const answers = loaded as Extract<EngineAnswer, { session: number }>[];
    const sessions = answers.map(({ session }) => session);
    if (answers.some(({ device }) => device === 'gpu')) this.#device = 'gpu';
    const { threads, inlineFrames = 0 } = this.#options;
    const wantsInline = inlineFrames > 0 || this.#threads.length === 0;
    const inline = typeof source !== 'string' && wantsInline && (await OnnxSession.open(source, ports, threads));
    if (!inline && this.#threads.length === 0) throw new Error('TensorFlow needs an engine with at least one instance');
    const here = this.#threads.length === 0 ? Number.POSITIVE_INFINITY : inlineFrames;
    const parallel = Math.max(1, this.#threads.length);
    const pool = new InputPool(ports.inputs, parallel + 1);
    return {
      parallel,
      inputs: (batch) => pool.take(batch),
      run: async (batch, inputs) => {
        if (inline && batch <= here) {
          const done = await this.#runHere(inline, batch, inputs);
          pool.give(inputs);
          return done;
        }
        const buffers = inputs.map((input) => input.buffer as ArrayBuffer);
        const least = this.#leastBusy();
        const ask = { kind: 'run', session: sessions[least]!, batch, inputs } as const;
        const answer = await this.#threads[least]!.ask(ask, buffers);
        const done = answer as Extract<EngineAnswer, { output: Float32Array }>;
        pool.give(done.inputs);
        return done;
      },
    };
  }

  /** What the models that have been loaded are computed on. */
  get device(): Device {
    return this.#device;
  }

  /** TensorFlow tensors that the threads held after their latest batches: 0 unless something leaks. */
  get tensorsAlive(): number {
    return this.#threads.reduce((sum, { tensorsAlive }) => sum + tensorsAlive, 0);
  }

  /** Ends the threads; what still waits fails. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  async #runHere(session: OnnxSession, batch: number, inputs: BatchInputs): Promise<EngineOutput> {
    if (this.#closed) throw new Error('the engine has been closed');
    const start = performance.now();
    const output = await session.run(batch, inputs);
    return { output, seconds: (performance.now() - start) / 1e3 };
  }

  #leastBusy(): number {
    let least = 0;
    for (let i = 1; i < this.#threads.length; i++) {
      if (this.#threads[i]!.waiting < this.#threads[least]!.waiting) least = i;
    }
    return least;
  }
}
