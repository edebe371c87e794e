import type { KnowledgeDescription, KnowledgeManifest } from '../gen/semlink/v1/knowledge_pb.js';
import { Code, SemlinkError } from '../rpc/errors.js';
import { BlockCache, type CacheObserver, SILENT_OBSERVER } from './block-cache.js';
import { type ExpectedKnowledge, requireKnowledge } from './description.js';
import { KnowledgeFault } from './fault.js';
import { requireShard } from './inspector.js';
import { readManifest } from './publish.js';
import { RecordCodec } from './record.js';
import { HEADER_READ_BYTES, parseShardStart, type ShardLayout } from './shard.js';
import type { KnowledgeStore } from './store.js';

/** Of one range read; neighbouring blocks up to this are read together. */
const READ_BYTES = 1024 ** 2;

export interface OpenSetOptions {
  /** What the reader counts on; knowledge of anything else is refused. */
  readonly expected?: ExpectedKnowledge;
  /** Checked blocks that are kept. Default: a cache of 64 MiB of its own. */
  readonly cache?: BlockCache;
  readonly observer?: CacheObserver;
}

const CACHE_BYTES = 64 * 1024 ** 2;

/**
 * A published knowledge set, read by range. Every block is checked before anything of it is handed out, and every shard
 * before its first block: a fault is thrown where it is met.
 */
export class KnowledgeSet {
  readonly manifest: KnowledgeManifest;
  readonly description: KnowledgeDescription;
  readonly codec: RecordCodec;
  /** images x views. */
  readonly records: number;
  /** All blocks of all shards. */
  readonly blocks: number;
  readonly #store: KnowledgeStore;
  readonly #cache: BlockCache;
  readonly #observer: CacheObserver;
  readonly #layouts = new Map<number, Promise<ShardLayout>>();
  readonly #blocksPerShard: number;
  readonly #recordsPerShard: number;

  private constructor(store: KnowledgeStore, manifest: KnowledgeManifest, options: OpenSetOptions) {
    const description = manifest.knowledge!;
    const { images, views, imagesPerShard, recordsPerBlock } = description;
    this.manifest = manifest;
    this.description = description;
    this.codec = new RecordCodec(description);
    this.records = images * views;
    this.#recordsPerShard = imagesPerShard * views;
    this.#blocksPerShard = Math.ceil(this.#recordsPerShard / recordsPerBlock);
    const whole = Math.floor(this.records / this.#recordsPerShard);
    const left = this.records - whole * this.#recordsPerShard;
    this.blocks = whole * this.#blocksPerShard + Math.ceil(left / recordsPerBlock);
    this.#store = store;
    this.#cache = options.cache ?? new BlockCache(CACHE_BYTES);
    this.#observer = options.observer ?? SILENT_OBSERVER;
  }

  /**
   * Opens the set that is published in `store`.
   *
   * @throws KnowledgeFault when there is none, it is faulty, or it is not what was expected
   */
  static async open(store: KnowledgeStore, options: OpenSetOptions = {}): Promise<KnowledgeSet> {
    const manifest = await readManifest(store);
    if (!manifest) {
      throw new KnowledgeFault(
        'absent',
        `no knowledge has been published in ${store.url}; run "semlink teach" into it`,
      );
    }
    requireKnowledge(manifest.knowledge!, options.expected ?? {}, store.url);
    return new KnowledgeSet(store, manifest, options);
  }

  /** First record of a block and how many it has. Records are numbered image x views + view. */
  rangeOfBlock(block: number): { first: number; count: number } {
    const shard = Math.floor(block / this.#blocksPerShard);
    const inShard = (block % this.#blocksPerShard) * this.description.recordsPerBlock;
    const first = shard * this.#recordsPerShard + inShard;
    const end = Math.min(first + this.description.recordsPerBlock, (shard + 1) * this.#recordsPerShard, this.records);
    return { first, count: end - first };
  }

  /** The block that a record is in. */
  blockOf(record: number): number {
    const shard = Math.floor(record / this.#recordsPerShard);
    return (
      shard * this.#blocksPerShard + Math.floor((record % this.#recordsPerShard) / this.description.recordsPerBlock)
    );
  }

  /**
   * The records of some blocks, checked; neighbours among those that are not cached are read together.
   *
   * @param blocks numbers in rising order, each once
   * @throws KnowledgeFault when a block or its shard is faulty
   */
  async readBlocks(blocks: readonly number[]): Promise<Uint8Array[]> {
    const found: (Uint8Array | Promise<Uint8Array>)[] = [];
    let hits = 0;
    for (let i = 0; i < blocks.length; ) {
      const cached = this.#cache.get(this.#keyOf(blocks[i]!));
      if (cached) {
        found.push(cached);
        hits++;
        i++;
        continue;
      }
      const run = this.#runOfMissing(blocks, i);
      const read = this.#readRun(blocks[i]!, run);
      for (let j = 0; j < run; j++) {
        const block = read.then((all) => all[j]!);
        this.#cache.reading(this.#keyOf(blocks[i + j]!), block);
        found.push(block);
      }
      i += run;
    }
    if (hits > 0) this.#observer.hit(hits);
    return Promise.all(found);
  }

  /**
   * Some records, in the order asked for, one after the other.
   *
   * @throws SemlinkError OUT_OF_RANGE for a record that there is not; KnowledgeFault for one that is faulty
   */
  async readRecords(ids: ArrayLike<number>): Promise<Uint8Array> {
    const { recordBytes } = this.description;
    const needed = new Set<number>();
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (!(Number.isInteger(id) && id >= 0 && id < this.records)) {
        throw new SemlinkError(
          Code.OUT_OF_RANGE,
          `record ${id} is not in ${this.#store.url}; use 0 to ${this.records - 1} (image x ${this.description.views} + view)`,
        );
      }
      needed.add(this.blockOf(id));
    }
    const numbers = [...needed].sort((a, b) => a - b);
    const read = await this.readBlocks(numbers);
    const blocks = new Map(numbers.map((number, i) => [number, read[i]!]));
    const out = new Uint8Array(ids.length * recordBytes);
    for (let i = 0; i < ids.length; i++) {
      const block = this.blockOf(ids[i]!);
      const from = (ids[i]! - this.rangeOfBlock(block).first) * recordBytes;
      out.set(blocks.get(block)!.subarray(from, from + recordBytes), i * recordBytes);
    }
    return out;
  }

  /** How many blocks from position `i` on follow one another in one shard, are not cached and fit into one read. */
  #runOfMissing(blocks: readonly number[], i: number): number {
    const { recordBytes, recordsPerBlock } = this.description;
    const most = Math.max(1, Math.floor(READ_BYTES / (recordBytes * recordsPerBlock)));
    const shard = Math.floor(blocks[i]! / this.#blocksPerShard);
    let run = 1;
    while (run < most && i + run < blocks.length) {
      const next = blocks[i + run]!;
      if (next !== blocks[i]! + run || Math.floor(next / this.#blocksPerShard) !== shard) break;
      if (this.#cache.get(this.#keyOf(next))) break;
      run++;
    }
    return run;
  }

  async #readRun(first: number, count: number): Promise<Uint8Array[]> {
    const shard = Math.floor(first / this.#blocksPerShard);
    const layout = await this.#layoutOf(shard);
    const { file } = this.manifest.shards[shard]!;
    const where = `${this.#store.url}/${file}`;
    const local = first % this.#blocksPerShard;
    const { offset } = layout.rangeOfBlock(local);
    const last = layout.rangeOfBlock(local + count - 1);
    const start = performance.now();
    const bytes = await this.#store.read(file, offset, last.offset + last.length - offset);
    this.#observer.miss(count, bytes.length, (performance.now() - start) / 1e3);
    return Array.from({ length: count }, (_, j) => {
      const range = layout.rangeOfBlock(local + j);
      const block = bytes.subarray(range.offset - offset, range.offset - offset + range.length);
      const records = layout.checkedBlock(local + j, block, where);
      // A copy, since a view would keep all that was read with it.
      return count === 1 ? records : records.slice();
    });
  }

  /** The layout of a shard, once it is known to be the one that the manifest means. A failure is not remembered. */
  #layoutOf(shard: number): Promise<ShardLayout> {
    let layout = this.#layouts.get(shard);
    if (!layout) {
      layout = this.#openShard(shard);
      this.#layouts.set(shard, layout);
      layout.catch(() => this.#layouts.delete(shard));
    }
    return layout;
  }

  async #openShard(shard: number): Promise<ShardLayout> {
    const entry = this.manifest.shards[shard]!;
    const where = `${this.#store.url}/${entry.file}`;
    const size = await this.#store.size(entry.file);
    if (size === undefined) {
      throw new KnowledgeFault(
        'missing-shard',
        `${where} is missing though the manifest lists it; run the teacher again`,
      );
    }
    let read = HEADER_READ_BYTES;
    for (;;) {
      const layout = parseShardStart(await this.#store.read(entry.file, 0, Math.min(read, size)), where);
      if (layout) {
        const { firstImage, images } = entry;
        requireShard(layout, { knowledge: this.description, firstImage, images }, where);
        if (size < entry.bytes) {
          throw new KnowledgeFault(
            'truncated',
            `${where} has ${size} of its ${entry.bytes} bytes; run the teacher again`,
          );
        }
        return layout;
      }
      if (read >= size) throw new KnowledgeFault('truncated', `${where} ends within its header; run the teacher again`);
      read *= 16;
    }
  }

  #keyOf(block: number): string {
    return `${this.#store.url}#${this.manifest.knowledgeSha256}#${block}`;
  }
}
