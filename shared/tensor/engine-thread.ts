import { Worker } from 'node:worker_threads';
import { compiledModule } from '../build/compiled.js';
import type { EngineAnswer, EngineRequest } from './engine-worker.js';

interface Waiting {
  resolve(answer: EngineAnswer): void;
  reject(error: Error): void;
}

/** What is asked, without its number. */
type Asked = EngineRequest extends infer R ? (R extends EngineRequest ? Omit<R, 'id'> : never) : never;

/** One worker thread that computes; it answers in the order of the asks. */
export class EngineThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onFailure: (error: Error) => void;
  #next = 0;
  #tensorsAlive = 0;
  #failure: Error | undefined;

  /** @param onFailure called once when the thread dies by itself; whatever waits or comes later fails with the same */
  constructor(name: string, onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
    this.#worker = new Worker(compiledModule('shared/tensor/engine-worker.ts'), { name });
    this.#worker.on('message', (answer: EngineAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('tensorsAlive' in answer) this.#tensorsAlive = answer.tensorsAlive;
      if ('error' in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`the thread of the engine ended (exit code ${code})`)));
  }

  /** Asks without an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** TensorFlow tensors that the thread held after the latest batch. */
  get tensorsAlive(): number {
    return this.#tensorsAlive;
  }

  /** @param transfer buffers that are handed over, and empty here afterwards */
  ask(request: Asked, transfer: ArrayBuffer[] = []): Promise<EngineAnswer> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id } satisfies EngineRequest, transfer);
    });
  }

  /** Ends the thread; what still waits fails. */
  async close(): Promise<void> {
    const closed = this.#failure === undefined;
    this.#failure ??= new Error('the engine has been closed');
    await this.#worker.terminate();
    if (closed) this.#rejectAll();
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#rejectAll();
    this.#onFailure(error);
  }

  #rejectAll(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(this.#failure!);
  }
}
