import { resourceExhausted } from '../rpc/errors.js';

/** Why a batch was closed: the engine was free, or the batch was full when it became free. */
export type ClosedBy = 'idle' | 'full';

export interface BatcherOptions<T, R> {
  /** Items of one batch at most. */
  maxBatch: number;
  /** Bytes of the items that wait and run, at most. */
  maxBytes: number;
  bytesOf(item: T): number;
  /** Computes a batch; one result an item, in order. Never called again before it has settled. */
  run(items: T[], closedBy: ClosedBy): Promise<R[]>;
}

interface Entry<T, R> {
  item: T;
  bytes: number;
  done(result: R | undefined, error: Error | undefined): void;
}

/**
 * Dynamic batching across callers: while one batch runs, the next one gathers; an item that finds the engine free waits
 * only for the others of the same turn of the event loop. So one item in flight pays nothing for batching, and load
 * makes batches grow.
 */
export class Batcher<T, R> {
  readonly #options: BatcherOptions<T, R>;
  #queue: Entry<T, R>[] = [];
  #bytes = 0;
  #busy = false;
  #scheduled = false;

  constructor(options: BatcherOptions<T, R>) {
    this.#options = options;
  }

  /** Bytes of the items that wait or run. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds an item; `done` is called exactly once, with its result or with the error of its batch.
   *
   * @throws SemlinkError RESOURCE_EXHAUSTED when the queue is full, and then `done` is not called
   */
  submit(item: T, done: (result: R | undefined, error: Error | undefined) => void): void {
    const bytes = this.#options.bytesOf(item);
    if (this.#bytes + bytes > this.#options.maxBytes && this.#bytes > 0) {
      const filled = `${this.#bytes} of ${this.#options.maxBytes} bytes full`;
      throw resourceExhausted('engine queue', filled, 'send fewer frames at a time, or try again in a moment');
    }
    this.#bytes += bytes;
    this.#queue.push({ item, bytes, done });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#busy || this.#scheduled || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#runNext();
    });
  }

  async #runNext(): Promise<void> {
    const full = this.#queue.length >= this.#options.maxBatch;
    const entries = full ? this.#queue.splice(0, this.#options.maxBatch) : this.#queue;
    if (!full) this.#queue = [];
    this.#busy = true;
    let results: R[] | undefined;
    let failure: Error | undefined;
    try {
      results = await this.#options.run(
        entries.map((entry) => entry.item),
        full ? 'full' : 'idle',
      );
    } catch (error) {
      failure = error as Error;
    }
    this.#busy = false;
    // The engine goes on with the next batch before this one's answers are dealt with.
    if (this.#queue.length > 0) void this.#runNext();
    entries.forEach((entry, i) => {
      this.#bytes -= entry.bytes;
      try {
        entry.done(results?.[i], failure);
      } catch (error) {
        // A mistake of one caller: it is not hidden, but the others of the batch have their answers first.
        queueMicrotask(() => {
          throw error;
        });
      }
    });
  }
}
