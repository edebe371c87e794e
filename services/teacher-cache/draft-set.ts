import type { KnowledgeDescription, ShardEntry } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { checkDescription, descriptionJson } from '../../shared/knowledge/description.js';
import { KnowledgeFault } from '../../shared/knowledge/fault.js';
import { type ExpectedShard, inspectShard, ShardInspector } from '../../shared/knowledge/inspector.js';
import { publishManifest, readManifest, storedShards } from '../../shared/knowledge/publish.js';
import { HEADER_READ_BYTES, parseShardStart, shardFile, shardRanges } from '../../shared/knowledge/shard.js';
import type { KnowledgeStore } from '../../shared/knowledge/store.js';
import { alreadyExists, failedPrecondition, invalidArgument } from '../../shared/rpc/errors.js';

/** A set that is being put together. */
export class DraftSet {
  readonly #store: KnowledgeStore;
  #knowledge: KnowledgeDescription | undefined;
  /** Shards known to be whole, by file. */
  #known: Map<string, ShardEntry> | undefined;
  #published = false;
  #uploads = 0;
  #looking: Promise<void> | undefined;

  constructor(store: KnowledgeStore) {
    this.#store = store;
  }

  get idle(): boolean {
    return this.#uploads === 0;
  }

  /** What is there; shards are read through once. Undefined when nothing is there. */
  async state(): Promise<{ knowledge: KnowledgeDescription; shards: ShardEntry[]; complete: boolean } | undefined> {
    await this.#look();
    const knowledge = this.#knowledge;
    if (!knowledge) return undefined;
    const files = await this.#files();
    const ranges = shardRanges(knowledge);
    const shards = ranges.flatMap((range) => {
      const entry = this.#known!.get(shardFile(range));
      return entry && files.has(entry.file) ? [entry] : [];
    });
    if (shards.length === 0) return undefined;
    return { knowledge, shards, complete: ranges.every((range) => files.has(shardFile(range))) };
  }

  /**
   * Stores one shard, checked as it passes by, whole or not at all.
   *
   * @param announced what the sender says it is
   * @param chunks its bytes; always taken to their end
   * @returns false when it was there already
   * @throws KnowledgeFault or SemlinkError when it is not what was announced, or belongs to another set
   */
  async put(
    knowledge: KnowledgeDescription | undefined,
    announced: ShardEntry | undefined,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<boolean> {
    this.#uploads++;
    try {
      const expected = await this.#expected(knowledge, announced);
      const name = shardFile(expected);
      const known = this.#known!.get(name);
      if (this.#published && known?.sha256 !== announced!.sha256) {
        throw alreadyExists('published shard', name, 'its content never changes; put other knowledge into another set');
      }
      if (known?.sha256 === announced!.sha256 && (await this.#isThere(expected, known))) {
        for await (const _ of chunks);
        return false;
      }
      const inspector = new ShardInspector(`the upload of ${name}`, expected);
      let entry: ShardEntry | undefined;
      await this.#store.write(
        name,
        inspected(chunks, inspector, (finished) => {
          if (finished.sha256 !== announced!.sha256 || finished.bytes !== announced!.bytes) {
            throw new KnowledgeFault('damaged', `the upload of ${name} is not what was announced; send it again`);
          }
          entry = finished;
        }),
      );
      this.#known!.set(name, entry!);
      return true;
    } finally {
      this.#uploads--;
      // An upload that failed must not decide what the set is to hold.
      if (this.idle && this.#known?.size === 0) this.#looking = undefined;
    }
  }

  /** Publishes the set if all of its shards are there, whoever put them there. */
  async publishIfComplete(): Promise<boolean> {
    const knowledge = this.#knowledge;
    if (!knowledge) return false;
    const files = await this.#files();
    const ranges = shardRanges(knowledge);
    if (!ranges.every((range) => files.has(shardFile(range)))) return false;
    if (ranges.some((range) => !this.#known!.has(shardFile(range)))) {
      // Another service, on the same store, took the others.
      for (const entry of await storedShards(this.#store, knowledge)) this.#known!.set(entry.file, entry);
    }
    if (this.#known!.size < ranges.length) return false;
    if (!(await readManifest(this.#store))) await publishManifest(this.#store, knowledge, [...this.#known!.values()]);
    return true;
  }

  async #files(): Promise<Set<string>> {
    const files = new Set<string>();
    for await (const name of this.#store.list('images-')) files.add(name);
    return files;
  }

  /** Whether a shard that is known is still as it was; one of a published set is read through, so as to be mended. */
  async #isThere(expected: ExpectedShard, known: ShardEntry): Promise<boolean> {
    if (!this.#published) return (await this.#store.size(known.file)) === known.bytes;
    const found = await inspectShard(this.#store, expected).catch((error: unknown) => {
      if (error instanceof KnowledgeFault) return undefined;
      throw error;
    });
    return found?.sha256 === known.sha256;
  }

  async #expected(
    knowledge: KnowledgeDescription | undefined,
    announced: ShardEntry | undefined,
  ): Promise<ExpectedShard> {
    checkDescription(knowledge, 'the upload');
    const range = announced && shardRanges(knowledge).find(({ firstImage }) => firstImage === announced.firstImage);
    if (!range || range.images !== announced.images) {
      throw invalidArgument('shard', announced?.file ?? 'missing', 'it is none of those that its set consists of');
    }
    await this.#look();
    if (!this.#knowledge) this.#knowledge = knowledge;
    else if (descriptionJson(this.#knowledge) !== descriptionJson(knowledge)) {
      const { teacher, dataSet, views, images } = this.#knowledge;
      const there = `${images} images of ${dataSet!.name}, ${views} views, teacher ${teacher!.name}`;
      throw failedPrecondition('the set', there, 'put other knowledge into a set of another name');
    }
    return { knowledge, ...range };
  }

  /** Finds out, once, what the store has of this set. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().catch((error: unknown) => {
      this.#looking = undefined;
      throw error;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const manifest = await readManifest(this.#store);
    if (manifest) {
      this.#published = true;
      this.#knowledge = manifest.knowledge!;
      this.#known = new Map(manifest.shards.map((entry) => [entry.file, entry]));
      return;
    }
    const knowledge = await this.#knowledgeOfFirstShard();
    const shards = knowledge ? await storedShards(this.#store, knowledge) : [];
    this.#knowledge = knowledge;
    this.#known = new Map(shards.map((entry) => [entry.file, entry]));
  }

  async #knowledgeOfFirstShard(): Promise<KnowledgeDescription | undefined> {
    for await (const name of this.#store.list('images-')) {
      const size = (await this.#store.size(name)) ?? 0;
      const start = await this.#store.read(name, 0, Math.min(size, 16 * HEADER_READ_BYTES));
      const layout = parseShardStart(start, `${this.#store.url}/${name}`);
      if (layout) return layout.header.knowledge;
    }
    return undefined;
  }
}

/** The same chunks, looked at; `onEnd` may still refuse the whole. */
async function* inspected(
  chunks: AsyncIterable<Uint8Array>,
  inspector: ShardInspector,
  onEnd: (entry: ShardEntry) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    inspector.push(chunk);
    yield chunk;
  }
  onEnd(inspector.finish());
}
