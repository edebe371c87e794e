import { Code, resourceExhausted, SemlinkError } from '../rpc/errors.js';
import { FairQueue } from './fair-queue.js';

/**
 * Why a batch was closed: the engine was free; as many waited as it computes best; as many as it takes; or they had
 * waited as long as they may.
 */
export type ClosedBy = 'idle' | 'preferred' | 'full' | 'delay';

export interface BatcherOptions<T, R> {
  /** Items of one batch at most. */
  maxBatch: number;
  /** Sizes the engine computes best: where as many items wait as one of them, the batch is the largest such. */
  preferred?: readonly number[];
  /** Batches that run at a time. Default 1. */
  parallel?: number;
  /**
   * How long an item that finds the engine free may wait for company until a preferred size is reached, ms. Default 0:
   * only for others of the same turn of the event loop.
   */
  maxDelayMs?: number;
  /** An item that has waited so long is answered DEADLINE_EXCEEDED and not computed, ms. Default: for ever. */
  maxWaitMs?: number;
  /** Bytes of the items that wait and run, at most. */
  maxBytes: number;
  bytesOf(item: T): number;
  /** Who an item is from: the queue is shared out evenly. Default: all are from one. */
  keyOf?(item: T): string;
  /** Whether nobody waits for an item's answer any more: then it is dropped, and answered CANCELLED. */
  isAbandoned?(item: T): boolean;
  /** Computes a batch; one result an item, in order. */
  run(items: T[], closedBy: ClosedBy): Promise<R[]>;
}

interface Entry<T, R> {
  item: T;
  bytes: number;
  /** `performance.now()`. */
  at: number;
  done(result: R | undefined, error: Error | undefined): void;
}

/**
 * Dynamic batching across callers: while batches run, the next one gathers; an item that finds the engine free waits
 * only for the others of the same turn of the event loop (or for `maxDelayMs`). So one item in flight pays nothing for
 * batching, and load makes batches grow. Every item taken is answered exactly once.
 */
export class Batcher<T, R> {
  readonly #options: BatcherOptions<T, R>;
  readonly #parallel: number;
  /** Ascending. */
  readonly #preferred: number[];
  readonly #queue = new FairQueue<Entry<T, R>>();
  #bytes = 0;
  #running = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds a byte lately took from being taken to its answer's; for how long to wait when the queue is full. */
  #msPerByte = 0;
  #lastDone = 0;
  /** Since when the engine has had work without a break, and the bytes it has done of it. */
  #busySince: number | undefined;
  #busyBytes = 0;
  #busyBatches = 0;

  constructor(options: BatcherOptions<T, R>) {
    this.#options = options;
    this.#parallel = options.parallel ?? 1;
    this.#preferred = (options.preferred ?? []).filter((n) => n <= options.maxBatch).toSorted((a, b) => a - b);
  }

  /** Bytes of the items that wait or run. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds an item; `done` is called exactly once, with its result, with the error of its batch, or with the error below when
   * it had to make room for others.
   *
   * The queue is full when it has no room for the item's bytes, and also when what is in it takes so long that the item
   * would only wait to be told that it waited too long. Whoever has most waiting gives way then: the latest item of that
   * key is refused, which is this one or another.
   *
   * @throws SemlinkError RESOURCE_EXHAUSTED, with how long to wait, when the queue is full; `done` is not called then
   */
  submit(item: T, done: (result: R | undefined, error: Error | undefined) => void): void {
    const bytes = this.#options.bytesOf(item);
    const key = this.#options.keyOf?.(item) ?? '';
    while (this.#isFull(bytes)) {
      if (!this.#giveWay(key)) throw this.#full();
    }
    this.#bytes += bytes;
    this.#queue.push(key, { item, bytes, at: performance.now(), done });
    this.#schedule();
  }

  #isFull(bytes: number): boolean {
    if (this.#bytes === 0) return false;
    const { maxBytes, maxWaitMs = Number.POSITIVE_INFINITY } = this.#options;
    return this.#bytes + bytes > maxBytes || this.#drainMs() > maxWaitMs;
  }

  /**
   * How long what waits and runs will take, ms, by what the engine did since it was last idle; 0 until that is worth judging
   * by: batches grow with the queue, so the first ones say little, and one of them may have waited for a processor.
   */
  #drainMs(): number {
    const busyMs = this.#busySince === undefined ? 0 : performance.now() - this.#busySince;
    if (busyMs < leastBusyMs || this.#busyBatches < leastBusyBatches) return 0;
    return (this.#bytes * busyMs) / Math.max(this.#busyBytes, 1);
  }

  /** Refuses the latest item of the key with most of them, if that has at least two more than `key`. */
  #giveWay(key: string): boolean {
    const longest = this.#queue.longest();
    if (longest === undefined || this.#queue.lengthOf(longest) < this.#queue.lengthOf(key) + 2) return false;
    const entry = this.#queue.takeNewest(longest)!;
    this.#bytes -= entry.bytes;
    answer(entry, undefined, this.#full());
    return true;
  }

  #full(): SemlinkError {
    const filled = `${this.#bytes} of ${this.#options.maxBytes} bytes full`;
    const drainMs = this.#drainMs() || this.#bytes * this.#msPerByte;
    const wait = Math.max(1, Math.ceil(drainMs / 2));
    return resourceExhausted('engine queue', filled, `send fewer frames at a time, or try again in ${wait} ms`, wait);
  }

  #schedule(): void {
    if (this.#running >= this.#parallel || this.#scheduled || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#fill(false);
    });
  }

  /** Starts batches while the engine has room. @param waited whether the items have waited as long as they may */
  #fill(waited: boolean): void {
    while (this.#running < this.#parallel && this.#queue.length > 0) {
      const [size, closedBy] = this.#nextSize(waited);
      if (size === 0) return;
      this.#start(this.#queue.take(size), closedBy);
    }
  }

  /** Size of the next batch and why; 0: it waits for company. */
  #nextSize(waited: boolean): [size: number, closedBy: ClosedBy] {
    const { maxBatch, maxDelayMs = 0 } = this.#options;
    const waiting = this.#queue.length;
    if (waiting >= maxBatch) return [maxBatch, 'full'];
    const preferred = this.#preferred.findLast((n) => n <= waiting);
    if (preferred !== undefined) return [preferred, 'preferred'];
    if (waited) return [waiting, 'delay'];
    if (maxDelayMs <= 0) return [waiting, 'idle'];
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#fill(true);
    }, maxDelayMs);
    return [0, 'idle'];
  }

  #start(entries: Entry<T, R>[], closedBy: ClosedBy): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const live = this.#live(entries);
    if (live.length === 0) return;
    const start = performance.now();
    this.#busySince ??= start;
    this.#running++;
    // Nothing here throws by itself: what `run` throws at once is caught like what it rejects with.
    new Promise<R[]>((resolve) =>
      resolve(
        this.#options.run(
          live.map((entry) => entry.item),
          closedBy,
        ),
      ),
    ).then(
      (results) => this.#finish(live, start, results, undefined),
      (error: Error) => this.#finish(live, start, undefined, error),
    );
  }

  /** Answers and leaves out those whom it would be in vain to compute. */
  #live(entries: Entry<T, R>[]): Entry<T, R>[] {
    const { maxWaitMs = Number.POSITIVE_INFINITY, isAbandoned } = this.#options;
    const oldest = performance.now() - maxWaitMs;
    const inVain = (entry: Entry<T, R>) => entry.at < oldest || (isAbandoned?.(entry.item) ?? false);
    if (!entries.some(inVain)) return entries;
    return entries.filter((entry) => {
      if (!inVain(entry)) return true;
      this.#bytes -= entry.bytes;
      const error =
        entry.at < oldest
          ? new SemlinkError(
              Code.DEADLINE_EXCEEDED,
              `waited for the engine for more than ${maxWaitMs} ms; it is overloaded`,
              { why: 'queue_timeout' },
            )
          : new SemlinkError(Code.CANCELLED, 'nobody waits for the answer any more');
      answer(entry, undefined, error);
      return false;
    });
  }

  #finish(entries: Entry<T, R>[], start: number, results: R[] | undefined, error: Error | undefined): void {
    this.#running--;
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    const now = performance.now();
    const took = (now - Math.max(start, this.#lastDone)) / Math.max(bytes, 1);
    this.#lastDone = now;
    this.#busyBytes += bytes;
    this.#busyBatches++;
    // The far past counts less and less.
    const busyMs = now - (this.#busySince ?? now);
    if (busyMs > 10 * leastBusyMs) {
      this.#busySince = now - busyMs / 2;
      this.#busyBytes /= 2;
    }
    this.#msPerByte = this.#msPerByte === 0 ? took : 0.9 * this.#msPerByte + 0.1 * took;
    this.#bytes -= bytes;
    // The engine goes on with the next batch before this one's answers are dealt with.
    this.#fill(false);
    if (this.#running === 0) {
      this.#busySince = undefined;
      this.#busyBytes = 0;
      this.#busyBatches = 0;
    }
    entries.forEach((entry, i) => {
      answer(entry, results?.[i], error);
    });
  }
}

/** ms. */
const leastBusyMs = 1_000;
const leastBusyBatches = 4;

function answer<T, R>(entry: Entry<T, R>, result: R | undefined, error: Error | undefined): void {
  try {
    entry.done(result, error);
  } catch (mistake) {
    // A mistake of one caller: it is not hidden, but the others of the batch have their answers first.
    queueMicrotask(() => {
      throw mistake;
    });
  }
}
