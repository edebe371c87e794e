interface Held {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Runs things at their time, never early, in the order of their times (equal times: in the order of the calls). One timer
 * for all of them; a binary heap, so that holding n things costs log n each. Times are `performance.now()` milliseconds;
 * Node's timers are late by up to about a millisecond, and that does not add up.
 */
export class DelayQueue {
  readonly #heap: Held[] = [];
  #order = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** Things held. */
  get size(): number {
    return this.#heap.length;
  }

  /** `run` must not throw. */
  at(atMs: number, run: () => void): void {
    this.#push({ atMs, order: this.#order++, run });
    if (atMs < this.#timerAtMs) this.#arm();
  }

  /** Forgets everything held. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#heap.length = 0;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#heap[0];
    this.#timerAtMs = next?.atMs ?? Number.POSITIVE_INFINITY;
    // Longer than a timer can: wake up and arm again.
    this.#timer = next && setTimeout(this.#due, Math.min(Math.ceil(next.atMs - performance.now()), 2 ** 31 - 1));
  }

  readonly #due = (): void => {
    const now = performance.now();
    // What is added while running and is due already runs too, unless it has no end: the next turn takes it then.
    for (let count = this.#heap.length; count > 0 && this.#heap[0]!.atMs <= now; count--) this.#pop().run();
    this.#arm();
  };

  #push(held: Held): void {
    const heap = this.#heap;
    let at = heap.push(held) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, held)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = held;
  }

  #pop(): Held {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: Held, b: Held): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
