/** What a cache tells about itself. */
export interface CacheObserver {
  /** Blocks that were there. */
  hit(blocks: number): void;
  /** Blocks that had to be read, their bytes, and how long the store took. */
  miss(blocks: number, bytes: number, seconds: number): void;
}

export const SILENT_OBSERVER: CacheObserver = { hit() {}, miss() {} };

/**
 * Blocks that were read and checked, the most recently used ones up to a number of bytes. One that is being read is
 * waited for and not read twice.
 */
export class BlockCache {
  readonly #limit: number;
  /** In order of use, the least recent first. */
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #reading = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  /** @param limitBytes 0: nothing is kept */
  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A block that is there or on its way. */
  get(key: string): Uint8Array | Promise<Uint8Array> | undefined {
    const block = this.#blocks.get(key);
    if (!block) return this.#reading.get(key);
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block;
  }

  /** Announces a block that is being read, and keeps it when it has come; a failed read is forgotten. */
  reading(key: string, block: Promise<Uint8Array>): void {
    this.#reading.set(key, block);
    block.then(
      (bytes) => {
        this.#reading.delete(key);
        this.#keep(key, bytes);
      },
      () => this.#reading.delete(key),
    );
  }

  /** Forgets blocks whose key begins so: what is stored there has changed. */
  forget(prefix: string): void {
    for (const [key, block] of this.#blocks) {
      if (!key.startsWith(prefix)) continue;
      this.#blocks.delete(key);
      this.#bytes -= block.length;
    }
  }

  #keep(key: string, block: Uint8Array): void {
    if (block.length > this.#limit || this.#blocks.has(key)) return;
    this.#blocks.set(key, block);
    this.#bytes += block.length;
    for (const [oldest, { length }] of this.#blocks) {
      if (this.#bytes <= this.#limit) break;
      this.#blocks.delete(oldest);
      this.#bytes -= length;
    }
  }
}
