import type { KnowledgeClient } from '../../shared/client/knowledge.js';
import type { KnowledgeDescription, ShardEntry } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { descriptionJson } from '../../shared/knowledge/description.js';
import { type ShardLayout, shardEntry } from '../../shared/knowledge/shard.js';
import type { KnowledgeTarget } from './teach.js';

/** Stores knowledge through a running teacher-cache. */
export class CacheTarget implements KnowledgeTarget {
  readonly #client: KnowledgeClient;
  readonly #set: string;

  constructor(client: KnowledgeClient, set: string) {
    this.#client = client;
    this.#set = set;
  }

  async stored(knowledge: KnowledgeDescription): Promise<ShardEntry[]> {
    const there = await this.#client.describe(this.#set);
    if (!there) return [];
    if (!there.knowledge || descriptionJson(there.knowledge) !== descriptionJson(knowledge)) {
      const { dataSet, teacher, views } = there.knowledge ?? {};
      throw new Error(
        `set "${this.#set}" at ${this.#client.address} is other knowledge (${dataSet?.name}, ${views} views, teacher ${teacher?.name}); use a set of another name`,
      );
    }
    return there.shards;
  }

  async put(layout: ShardLayout, file: Uint8Array, traceparent: string): Promise<void> {
    await this.#client.put(this.#set, layout.header.knowledge!, shardEntry(layout, file), file, traceparent);
  }

  async publishIfComplete(): Promise<boolean> {
    return (await this.#client.describe(this.#set))?.published ?? false;
  }
}
