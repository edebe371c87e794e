import { createHash } from 'node:crypto';
import { philox4x32 } from '../random/philox.js';
import type { KnowledgeSet } from './knowledge-set.js';

/** Which records, in which order. */
export interface RecordSelection {
  readonly firstImage?: number | undefined;
  /** 0 or left out: all from `firstImage` on. */
  readonly images?: number | undefined;
  /** Left out: by image, then by view. */
  readonly shuffle?: { readonly seed: number; readonly epoch: number } | undefined;
}

/** Blocks whose records are mixed with each other: half a megabyte of CIFAR-10 records. */
const WINDOW_BLOCKS = 32;

/** A part of an order: blocks to read, and the records in them. */
export interface OrderWindow {
  /** Place of the first record in the order. */
  readonly position: number;
  readonly count: number;
  /** Rising. */
  readonly blocks: number[];
  /** The selected part of each block. */
  readonly parts: { readonly first: number; readonly count: number }[];
  /** The order: the selected records of all blocks, counted through from 0. Undefined: as they are. */
  shuffled(): Uint32Array | undefined;
}

/**
 * An order of records, window by window. It takes no memory that grows with the number of records, and starts anywhere
 * without making what comes before.
 */
export class RecordOrder {
  readonly total: number;
  readonly #set: KnowledgeSet;
  readonly #selection: RecordSelection;
  readonly #first: number;
  readonly #end: number;

  /** @throws RangeError when the images are not in the set */
  constructor(set: KnowledgeSet, selection: RecordSelection) {
    const { images, views } = set.description;
    const firstImage = selection.firstImage ?? 0;
    const count = selection.images || images - firstImage;
    if (firstImage + count > images || count < 1) {
      throw new RangeError(
        `images ${firstImage} to ${firstImage + count - 1} are not in the set; it has 0 to ${images - 1}`,
      );
    }
    this.#set = set;
    this.#selection = selection;
    this.#first = firstImage * views;
    this.#end = (firstImage + count) * views;
    this.total = this.#end - this.#first;
  }

  /** All windows that reach beyond `position`. */
  *windows(position = 0): Generator<OrderWindow, void, undefined> {
    const set = this.#set;
    const firstBlock = set.blockOf(this.#first);
    const count = set.blockOf(this.#end - 1) - firstBlock + 1;
    const { shuffle } = this.#selection;
    const permutation = shuffle && new Permutation(count, shuffle);
    let at = 0;
    for (let window = 0; window * WINDOW_BLOCKS < count; window++) {
      const places = Math.min(WINDOW_BLOCKS, count - window * WINDOW_BLOCKS);
      const blocks = Array.from({ length: places }, (_, i) => {
        const place = window * WINDOW_BLOCKS + i;
        return firstBlock + (permutation ? permutation.at(place) : place);
      }).sort((a, b) => a - b);
      const parts = blocks.map((block) => this.#within(block));
      const records = parts.reduce((sum, part) => sum + part.count, 0);
      if (at + records > position) {
        const shuffled = (): Uint32Array | undefined => permutation?.mixed(records, window);
        yield { position: at, count: records, blocks, parts, shuffled };
      }
      at += records;
    }
  }

  /** The part of a block that is selected. */
  #within(block: number): { first: number; count: number } {
    const { first, count } = this.#set.rangeOfBlock(block);
    const from = Math.max(first, this.#first);
    return { first: from, count: Math.min(first + count, this.#end) - from };
  }
}

const FEISTEL_ROUNDS = 4;

/** A random permutation of 0 to count - 1 that is computed place by place. */
class Permutation {
  readonly #count: number;
  readonly #half: number;
  readonly #mask: number;
  readonly #epoch: number;
  readonly #key: readonly [number, number];
  readonly #words = new Uint32Array(4);

  constructor(count: number, { seed, epoch }: { readonly seed: number; readonly epoch: number }) {
    const digest = createHash('sha256').update(`semlink-order-v1\n${seed}`).digest();
    this.#key = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
    this.#count = count;
    this.#epoch = epoch;
    // The smallest even number of bits that holds them all.
    this.#half = Math.max(1, Math.ceil(Math.log2(Math.max(2, count)) / 2));
    this.#mask = 2 ** this.#half - 1;
  }

  /** A Feistel network permutes 0 to 4^half - 1; walking on from results that are too large stays a permutation. */
  at(place: number): number {
    let value = place;
    do {
      let left = Math.floor(value / (this.#mask + 1));
      let right = value & this.#mask;
      for (let round = 0; round < FEISTEL_ROUNDS; round++) {
        philox4x32(this.#words, right, round, 0, this.#epoch, ...this.#key);
        [left, right] = [right, left ^ (this.#words[0]! & this.#mask)];
      }
      value = left * (this.#mask + 1) + right;
    } while (value >= this.#count);
    return value;
  }

  /**
   * 0 to count - 1 in random order (Fisher-Yates). The draws follow from the epoch and the window: xoshiro128** (Blackman,
   * Vigna 2018), seeded by one Philox block, for it is several times faster. The bias of a 32-bit draw is below 2^-16.
   */
  mixed(count: number, window: number): Uint32Array {
    const seeds = this.#words;
    philox4x32(seeds, window, 0, 1, this.#epoch, ...this.#key);
    let [a, b, c, d] = [seeds[0]! | 0, seeds[1]! | 0, seeds[2]! | 0, seeds[3]! | 1];
    const order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    for (let i = count - 1; i > 0; i--) {
      const scaled = Math.imul(b, 5);
      const draw = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
      const next = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= next;
      d = (d << 11) | (d >>> 21);
      const j = Math.floor((draw / 2 ** 32) * (i + 1));
      const kept = order[i]!;
      order[i] = order[j]!;
      order[j] = kept;
    }
    return order;
  }
}
