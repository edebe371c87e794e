/** When a batch becomes a message. */
export interface BatchLimits {
  /** Items a message, at least 1. */
  maxItems: number;
  /** Bytes a message; one item may exceed it. */
  maxBytes: number;
  /** Longest wait for company while items keep arriving, microseconds. 0: none. */
  maxDelayMicros: number;
}

export const defaultBatchLimits: BatchLimits = { maxItems: 256, maxBytes: 256 * 1024, maxDelayMicros: 500 };

/**
 * Collects items and hands them on in batches: when there are enough, when they have enough bytes, when the oldest has
 * waited long enough, and as soon as a turn of the event loop brings no further item. A lone item therefore waits for
 * one turn only, and not even for that where nothing else is under way; the delay is an upper bound that is reached under
 * load alone. While the pipe is blocked items pile up and leave in full batches afterwards.
 */
export class FrameBatch<T> {
  #items: T[] = [];
  #sizes: number[] = [];
  #bytes = 0;
  #blocked = false;
  #leavesNow = false;
  #immediate: NodeJS.Immediate | undefined;
  #firstAt = 0;
  #seenLastTurn = 0;
  readonly #limits: BatchLimits;
  readonly #flush: (items: T[]) => boolean;
  readonly #isAll: () => boolean;

  /**
   * @param flush takes a batch (empty when only `schedule` asked for it); false: the pipe is blocked until `resume()`
   * @param isAll whether nothing is under way besides the items here, so that no company can be about to come
   */
  constructor(limits: BatchLimits, flush: (items: T[]) => boolean, isAll: () => boolean = () => false) {
    this.#limits = limits;
    this.#flush = flush;
    this.#isAll = isAll;
  }

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  push(item: T, bytes: number): void {
    this.#items.push(item);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    if (this.#blocked) return;
    if (this.#full()) this.#flushFull();
    if (this.#items.length === 0) return;
    if (this.#isAll()) this.#flushAfterThis();
    else this.schedule();
  }

  /** Asks for a flush on the next turn even when there is no item. */
  schedule(): void {
    if (this.#blocked || this.#immediate) return;
    this.#firstAt = performance.now();
    this.#seenLastTurn = 1;
    this.#immediate = setImmediate(this.#turn);
  }

  /** Sends everything that the pipe takes, now. */
  flushAll(): void {
    this.#disarm();
    while (!this.#blocked && this.#items.length > 0) this.#flushOne();
  }

  block(): void {
    this.#blocked = true;
    this.#disarm();
  }

  /** The pipe takes items again. What is left has waited long enough. */
  resume(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.flushAll();
  }

  /** Sends everything once the code that runs has come to its end: what it pushes besides goes along. */
  #flushAfterThis(): void {
    if (this.#leavesNow) return;
    this.#leavesNow = true;
    queueMicrotask(() => {
      this.#leavesNow = false;
      this.flushAll();
    });
  }

  /** Drops items from the front while `test` holds. */
  dropWhile(test: (item: T) => boolean): void {
    let count = 0;
    while (count < this.#items.length && test(this.#items[count]!)) this.#bytes -= this.#sizes[count++]!;
    if (count === 0) return;
    this.#items.splice(0, count);
    this.#sizes.splice(0, count);
  }

  /** Takes all items out without sending them, and disarms. */
  takeAll(): T[] {
    this.#disarm();
    const items = this.#items;
    this.#items = [];
    this.#sizes = [];
    this.#bytes = 0;
    return items;
  }

  readonly #turn = (): void => {
    this.#immediate = undefined;
    const stillArriving = this.#items.length > this.#seenLastTurn;
    const waitedMicros = (performance.now() - this.#firstAt) * 1000;
    if (stillArriving && waitedMicros < this.#limits.maxDelayMicros) {
      this.#seenLastTurn = this.#items.length;
      this.#immediate = setImmediate(this.#turn);
      return;
    }
    do this.#flushOne();
    while (!this.#blocked && this.#items.length > 0);
  };

  #full(): boolean {
    return this.#items.length >= this.#limits.maxItems || this.#bytes >= this.#limits.maxBytes;
  }

  #flushFull(): void {
    while (!this.#blocked && this.#full()) this.#flushOne();
    if (this.#items.length === 0) this.#disarm();
  }

  #flushOne(): void {
    let count = 0;
    let bytes = 0;
    while (count < this.#items.length && count < this.#limits.maxItems) {
      const size = this.#sizes[count]!;
      if (count > 0 && bytes + size > this.#limits.maxBytes) break;
      bytes += size;
      count++;
    }
    const items = this.#items.splice(0, count);
    this.#sizes.splice(0, count);
    this.#bytes -= bytes;
    if (!this.#flush(items)) this.block();
  }

  #disarm(): void {
    if (!this.#immediate) return;
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }
}
