import type { KnowledgeDescription, ShardEntry } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { intactShard, publishManifest, readManifest, storedShards } from '../../shared/knowledge/publish.js';
import { type ShardLayout, shardFile, shardRanges } from '../../shared/knowledge/shard.js';
import type { KnowledgeStore } from '../../shared/knowledge/store.js';
import type { KnowledgeTarget } from './teach.js';

/** Stores knowledge straight into a folder or an object store. Several workers can do so at once. */
export class StoreTarget implements KnowledgeTarget {
  readonly #store: KnowledgeStore;
  readonly #say: (sentence: string) => void;

  /** @param say hears about faulty shards that are made again */
  constructor(store: KnowledgeStore, say: (sentence: string) => void) {
    this.#store = store;
    this.#say = say;
  }

  stored(knowledge: KnowledgeDescription): Promise<ShardEntry[]> {
    return storedShards(this.#store, knowledge, (fault) => this.#say(`${fault.message} (making it again)`));
  }

  async put({ header }: ShardLayout, file: Uint8Array): Promise<void> {
    const name = shardFile(header);
    if (await this.#store.create(name, [file])) return;
    // Another worker was quicker. What it stored stays: it may be in a manifest by now.
    const { knowledge, firstImage, images } = header;
    if (!(await intactShard(this.#store, { knowledge: knowledge!, firstImage, images }))) {
      await this.#store.write(name, [file]);
    }
  }

  async publishIfComplete(knowledge: KnowledgeDescription): Promise<boolean> {
    const ranges = shardRanges(knowledge);
    for (const range of ranges) {
      if ((await this.#store.size(shardFile(range))) === undefined) return false;
    }
    const shards = await this.stored(knowledge);
    if (shards.length < ranges.length) return false;
    // Whoever sees all shards publishes; two workers that do so at once write the same bytes.
    await publishManifest(this.#store, knowledge, shards);
    return (await readManifest(this.#store)) !== undefined;
  }
}
