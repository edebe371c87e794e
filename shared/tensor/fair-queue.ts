/** Items of one key, first in, first out. */
class Line<T> {
  readonly key: string;
  items: T[] = [];
  /** Items before it have left. */
  head = 0;

  constructor(key: string) {
    this.key = key;
  }

  get length(): number {
    return this.items.length - this.head;
  }

  take(count: number): T[] {
    const end = this.head + count;
    if (end === this.items.length && this.head === 0) {
      const all = this.items;
      this.items = [];
      return all;
    }
    const taken = this.items.slice(this.head, end);
    this.head = end;
    // What has left is let go before it outweighs what waits.
    if (this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return taken;
  }
}

/**
 * A queue in which every key gets the same: what is taken is shared out evenly among the keys that wait, and within a
 * key the first in is the first out. A key that sends a thousand items holds up nobody that sends one.
 */
export class FairQueue<T> {
  /** Keys that wait, in the order of their turns. */
  readonly #lines = new Map<string, Line<T>>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** How many items of a key wait. */
  lengthOf(key: string): number {
    return this.#lines.get(key)?.length ?? 0;
  }

  /** The key that has most items waiting; undefined when none waits. Looks at every key. */
  longest(): string | undefined {
    let longest: Line<T> | undefined;
    for (const line of this.#lines.values()) if (!longest || line.length > longest.length) longest = line;
    return longest?.key;
  }

  /** Takes the item of a key that came last; undefined when none waits. */
  takeNewest(key: string): T | undefined {
    const line = this.#lines.get(key);
    const item = line?.items.pop();
    if (!line || item === undefined) return undefined;
    this.#length--;
    if (line.length === 0) this.#lines.delete(key);
    return item;
  }

  push(key: string, item: T): void {
    let line = this.#lines.get(key);
    if (!line) {
      line = new Line(key);
      this.#lines.set(key, line);
    }
    line.items.push(item);
    this.#length++;
  }

  /** Takes up to `count` items. Keys whose share has come go to the end, so that a rest goes to others the next time. */
  take(count: number): T[] {
    const wanted = Math.min(count, this.#length);
    this.#length -= wanted;
    if (this.#lines.size === 1) {
      const line: Line<T> | undefined = this.#lines.values().next().value;
      if (line!.length === wanted) this.#lines.clear();
      return line!.take(wanted);
    }
    const taken: T[] = [];
    while (taken.length < wanted) {
      const share = Math.max(1, Math.floor((wanted - taken.length) / this.#lines.size));
      // A fixed list: those that go to the end of the map have had their share.
      for (const line of [...this.#lines.values()]) {
        if (taken.length === wanted) break;
        const part = line.take(Math.min(share, line.length, wanted - taken.length));
        for (const item of part) taken.push(item);
        this.#lines.delete(line.key);
        if (line.length > 0) this.#lines.set(line.key, line);
      }
    }
    return taken;
  }
}
