import type { KnowledgeDescription, ShardEntry } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { checkDescription, descriptionJson } from '../../shared/knowledge/description.js';
import { KnowledgeFault } from '../../shared/knowledge/fault.js';
import { type ExpectedShard, ShardInspector } from '../../shared/knowledge/inspector.js';
import { intactShard, publishManifest, readManifest, storedShards } from '../../shared/knowledge/publish.js';
import { HEADER_READ_BYTES, parseShardStart, shardFile, shardRanges } from '../../shared/knowledge/shard.js';
import type { KnowledgeStore } from '../../shared/knowledge/store.js';
import { alreadyExists, failedPrecondition, invalidArgument, type SemlinkError } from '../../shared/rpc/errors.js';

/**
 * A set that is being put together, here and perhaps by other processes on the same store: workers of this service, other
 * replicas, teachers that store by themselves. What makes that safe: a shard that is whole is never replaced while its set
 * is being put together, so whoever publishes writes the same manifest; what is known is only what has been read through
 * or stored here; and whether the set has been published meanwhile is looked up before each shard.
 */
export class DraftSet {
  readonly #store: KnowledgeStore;
  #knowledge: KnowledgeDescription | undefined;
  /** Shards known to be whole, by file. */
  #known: Map<string, ShardEntry> | undefined;
  #published = false;
  /** Whether what others may have begun at the same time is known to be the same set. */
  #confirmed = false;
  #uploads = 0;
  #looking: Promise<void> | undefined;

  constructor(store: KnowledgeStore) {
    this.#store = store;
  }

  get idle(): boolean {
    return this.#uploads === 0;
  }

  /** What is there; shards are read through once, also those that others stored. Undefined when nothing is there. */
  async state(): Promise<{ knowledge: KnowledgeDescription; shards: ShardEntry[]; complete: boolean } | undefined> {
    await this.#look();
    const knowledge = this.#knowledge;
    if (!knowledge) return undefined;
    const files = await this.#files();
    const ranges = shardRanges(knowledge);
    const shards: ShardEntry[] = [];
    for (const range of ranges) {
      if (!files.has(shardFile(range))) continue;
      const entry = this.#known!.get(shardFile(range)) ?? (await this.#intact({ knowledge, ...range }));
      if (entry) shards.push(entry);
    }
    if (shards.length === 0) return undefined;
    return { knowledge, shards, complete: ranges.every((range) => files.has(shardFile(range))) };
  }

  /**
   * Stores one shard, checked as it passes by, whole or not at all. One that somebody else has stored meanwhile stays, even
   * where its content is another: the same teacher on another processor rounds otherwise, and is as good.
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
      const wasThere = (await this.#store.size(name)) !== undefined;
      const known = this.#known!.get(name) ?? (await this.#intact(expected));
      if (this.#published && known?.sha256 !== announced!.sha256) {
        throw alreadyExists('published shard', name, 'its content never changes; put other knowledge into another set');
      }
      if (known && (await this.#isThere(expected, known))) {
        for await (const _ of chunks);
        return false;
      }
      const inspector = new ShardInspector(`the upload of ${name}`, expected);
      let entry: ShardEntry | undefined;
      const content = inspected(chunks, inspector, (finished) => {
        if (finished.sha256 !== announced!.sha256 || finished.bytes !== announced!.bytes) {
          throw new KnowledgeFault('damaged', `the upload of ${name} is not what was announced; send it again`);
        }
        entry = finished;
      });
      // What was found damaged is replaced.
      if (wasThere) await this.#store.write(name, content);
      else if (!(await this.#store.create(name, content))) {
        // Stored by another at this moment: is it a shard of this set?
        await this.#intact(expected);
        return false;
      }
      await this.#confirm(name);
      // Another may have replaced it too: then it is read through before the set is published.
      if (wasThere && !this.#published) this.#known!.delete(name);
      else this.#known!.set(name, entry!);
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

  /** A shard that was stored by others, read through; undefined: none is there, or it is damaged and is to be made anew. */
  async #intact(expected: ExpectedShard): Promise<ShardEntry | undefined> {
    // Of a published set everything is known.
    if (this.#published) return undefined;
    const entry = await intactShard(this.#store, expected);
    if (entry) this.#known!.set(entry.file, entry);
    return entry;
  }

  /**
   * Two processes can begin different sets of one name at once, each seeing nothing of the other. So whoever has stored its
   * first shard looks around: the later of the two, at least, finds the other, and takes its own away.
   */
  async #confirm(stored: string): Promise<void> {
    if (this.#confirmed) return;
    for await (const name of this.#store.list('images-')) {
      const found = name === stored ? undefined : await this.#knowledgeOf(name);
      if (!found || descriptionJson(found) === descriptionJson(this.#knowledge!)) continue;
      await this.#store.remove(stored);
      throw otherKnowledge(found);
    }
    this.#confirmed = true;
  }

  /** Whether a shard that is known is still as it was; one of a published set is read through, so as to be mended. */
  async #isThere(expected: ExpectedShard, known: ShardEntry): Promise<boolean> {
    if (!this.#published) return (await this.#store.size(known.file)) === known.bytes;
    const found = await intactShard(this.#store, expected);
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
    await this.#lookWhetherPublished();
    if (!this.#knowledge) this.#knowledge = knowledge;
    else if (descriptionJson(this.#knowledge) !== descriptionJson(knowledge)) throw otherKnowledge(this.#knowledge);
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
    this.#confirmed = false;
    await this.#lookWhetherPublished();
    if (this.#published) return;
    const knowledge = await this.#knowledgeOfFirstShard();
    const shards = knowledge ? await storedShards(this.#store, knowledge) : [];
    this.#knowledge = knowledge;
    this.#known = new Map(shards.map((entry) => [entry.file, entry]));
  }

  /** Others publish too; what has been published stays so. */
  async #lookWhetherPublished(): Promise<void> {
    if (this.#published) return;
    const manifest = await readManifest(this.#store);
    if (!manifest) return;
    this.#published = true;
    this.#knowledge = manifest.knowledge!;
    this.#known = new Map(manifest.shards.map((entry) => [entry.file, entry]));
  }

  async #knowledgeOfFirstShard(): Promise<KnowledgeDescription | undefined> {
    for await (const name of this.#store.list('images-')) {
      const found = await this.#knowledgeOf(name);
      if (found) return found;
    }
    return undefined;
  }

  /** undefined: the shard is not there, or not any more, for another process may take its own away at any moment. */
  async #knowledgeOf(name: string): Promise<KnowledgeDescription | undefined> {
    const size = (await this.#store.size(name)) ?? 0;
    if (size === 0) return undefined;
    const start = await this.#store.read(name, 0, Math.min(size, 16 * HEADER_READ_BYTES)).catch(async (error) => {
      if ((await this.#store.size(name)) === undefined) return undefined;
      throw error;
    });
    if (!start) return undefined;
    return parseShardStart(start, `${this.#store.url}/${name}`)?.header.knowledge;
  }
}

function otherKnowledge({ teacher, dataSet, views, images }: KnowledgeDescription): SemlinkError {
  const there = `${images} images of ${dataSet!.name}, ${views} views, teacher ${teacher!.name}`;
  return failedPrecondition('the set', there, 'put other knowledge into a set of another name');
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
