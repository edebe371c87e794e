/** A frame that waits for its answer. Its key is (link, sequence). */
export class PendingFrame<T> {
  /** Position in the list of pending frames; the list's own. */
  previous: PendingFrame<T> | undefined;
  next: PendingFrame<T> | undefined;
  readonly linkId: string;
  readonly sequence: bigint;
  readonly bytes: number;
  readonly value: T;

  constructor(linkId: string, sequence: bigint, bytes: number, value: T) {
    this.linkId = linkId;
    this.sequence = sequence;
    this.bytes = bytes;
    this.value = value;
  }
}

/** A sequence as the key of a map: a number where it is exact, for maps are several times slower with bigints. */
type Key = number | bigint;

function keyOf(sequence: bigint): Key {
  const number = Number(sequence);
  return number <= Number.MAX_SAFE_INTEGER ? number : sequence;
}

/**
 * The frames in flight, found by key and listed from the oldest to the newest. Adding, taking and looking at the oldest
 * take constant time, and nothing stays behind of a frame that was taken.
 */
export class PendingFrames<T> {
  readonly #links = new Map<string, Map<Key, PendingFrame<T>>>();
  #oldest: PendingFrame<T> | undefined;
  #newest: PendingFrame<T> | undefined;
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The frame that has waited longest. */
  get oldest(): PendingFrame<T> | undefined {
    return this.#oldest;
  }

  has(linkId: string, sequence: bigint): boolean {
    return this.#links.get(linkId)?.has(keyOf(sequence)) ?? false;
  }

  /** False when a frame with this key is in flight already. */
  add(frame: PendingFrame<T>): boolean {
    let link = this.#links.get(frame.linkId);
    const key = keyOf(frame.sequence);
    if (!link) {
      link = new Map();
      this.#links.set(frame.linkId, link);
    } else if (link.has(key)) {
      return false;
    }
    link.set(key, frame);
    frame.previous = this.#newest;
    if (this.#newest) this.#newest.next = frame;
    else this.#oldest = frame;
    this.#newest = frame;
    this.#size++;
    this.#bytes += frame.bytes;
    return true;
  }

  get(linkId: string, sequence: bigint): PendingFrame<T> | undefined {
    return this.#links.get(linkId)?.get(keyOf(sequence));
  }

  /** Takes a frame out; undefined when it is not (or no longer) in flight. */
  take(linkId: string, sequence: bigint): PendingFrame<T> | undefined {
    const link = this.#links.get(linkId);
    const key = keyOf(sequence);
    const frame = link?.get(key);
    if (!link || !frame) return undefined;
    link.delete(key);
    if (link.size === 0) this.#links.delete(linkId);
    if (frame.previous) frame.previous.next = frame.next;
    else this.#oldest = frame.next;
    if (frame.next) frame.next.previous = frame.previous;
    else this.#newest = frame.previous;
    frame.previous = undefined;
    frame.next = undefined;
    this.#size--;
    this.#bytes -= frame.bytes;
    return frame;
  }

  /** Takes out, oldest first, every frame for which `test` holds. */
  takeWhere(test: (frame: PendingFrame<T>) => boolean): PendingFrame<T>[] {
    const taken: PendingFrame<T>[] = [];
    let frame = this.#oldest;
    while (frame) {
      const { next } = frame;
      if (test(frame)) {
        this.take(frame.linkId, frame.sequence);
        taken.push(frame);
      }
      frame = next;
    }
    return taken;
  }
}
