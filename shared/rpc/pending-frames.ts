/**
 * A frame that waits for its answer. Its key is (link, sequence). Each end of a hop extends it by what it needs to know of
 * one: an object a frame, for what lives as long as a frame is on its way is what the garbage collector has to move.
 */
export class PendingFrame {
  /** Position in the list of pending frames; the list's own. */
  previous: this | undefined;
  next: this | undefined;
  readonly linkId: string;
  readonly sequence: bigint;
  readonly bytes: number;

  constructor(linkId: string, sequence: bigint, bytes: number) {
    this.previous = undefined;
    this.next = undefined;
    this.linkId = linkId;
    this.sequence = sequence;
    this.bytes = bytes;
  }
}

/** A sequence as the key of a map: a number where it is exact, for maps are several times slower with bigints. */
type Key = number | bigint;

/** Links without a frame in flight are kept while there are no more links than these. */
const keptLinks = 64;

function keyOf(sequence: bigint): Key {
  const number = Number(sequence);
  return number <= Number.MAX_SAFE_INTEGER ? number : sequence;
}

/**
 * The frames in flight, found by key and listed from the oldest to the newest. Adding, taking and looking at the oldest
 * take constant time, and nothing stays behind of a frame that was taken, but the name of its link for a few links.
 */
export class PendingFrames<F extends PendingFrame> {
  readonly #links = new Map<string, Map<Key, F>>();
  #oldest: F | undefined;
  #newest: F | undefined;
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The frame that has waited longest. */
  get oldest(): F | undefined {
    return this.#oldest;
  }

  has(linkId: string, sequence: bigint): boolean {
    return this.#links.get(linkId)?.has(keyOf(sequence)) ?? false;
  }

  /** False when a frame with this key is in flight already. */
  add(frame: F): boolean {
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

  get(linkId: string, sequence: bigint): F | undefined {
    return this.#links.get(linkId)?.get(keyOf(sequence));
  }

  /** Takes a frame out; undefined when it is not (or no longer) in flight. */
  take(linkId: string, sequence: bigint): F | undefined {
    const link = this.#links.get(linkId);
    const key = keyOf(sequence);
    const frame = link?.get(key);
    if (!link || !frame) return undefined;
    link.delete(key);
    // With one frame in flight a link would be forgotten and made anew for each: the first few are kept.
    if (link.size === 0 && this.#links.size > keptLinks) this.#links.delete(linkId);
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
  takeWhere(test: (frame: F) => boolean): F[] {
    const taken: F[] = [];
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
