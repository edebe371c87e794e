import { KnowledgeFault } from './fault.js';
import { inspectShard } from './inspector.js';
import { readManifest } from './publish.js';
import type { KnowledgeStore } from './store.js';

export interface VerifyResult {
  readonly shards: number;
  readonly records: number;
  /** One for each shard that must not be used, or one for the manifest. */
  readonly faults: KnowledgeFault[];
}

/** Reads all of a set through and checks all that can be checked; reports every faulty shard, not only the first. */
export async function verifyKnowledge(
  store: KnowledgeStore,
  onShard: (done: number, total: number) => void = () => {},
): Promise<VerifyResult> {
  const faults: KnowledgeFault[] = [];
  const meet = async (check: () => Promise<void>): Promise<void> => {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof KnowledgeFault)) throw error;
      faults.push(error);
    }
  };
  let records = 0;
  let shards = 0;
  await meet(async () => {
    const manifest = await readManifest(store);
    if (!manifest) throw new KnowledgeFault('absent', `no knowledge has been published in ${store.url}`);
    const knowledge = manifest.knowledge!;
    for (const [i, entry] of manifest.shards.entries()) {
      const where = `${store.url}/${entry.file}`;
      await meet(async () => {
        const { firstImage, images } = entry;
        const found = await inspectShard(store, { knowledge, firstImage, images });
        if (!found) throw new KnowledgeFault('missing-shard', `${where} is missing though the manifest lists it`);
        if (found.sha256 !== entry.sha256 || found.bytes !== entry.bytes) {
          throw new KnowledgeFault(
            'misplaced',
            `${where} is sound, but not the file that the manifest was written for`,
          );
        }
        shards++;
        records += images * knowledge.views;
      });
      onShard(i + 1, manifest.shards.length);
    }
  });
  return { shards, records, faults };
}
