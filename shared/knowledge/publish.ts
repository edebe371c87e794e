import { create, fromJsonString, toJson } from '@bufbuild/protobuf';
import {
  type KnowledgeDescription,
  type KnowledgeManifest,
  KnowledgeManifestSchema,
  type ShardEntry,
} from '../gen/semlink/v1/knowledge_pb.js';
import { checkDescription, knowledgeSha256 } from './description.js';
import { KnowledgeFault } from './fault.js';
import { type ExpectedShard, inspectShard } from './inspector.js';
import { shardFile, shardRanges } from './shard.js';
import type { KnowledgeStore } from './store.js';

export const MANIFEST = 'manifest.json';
/** Larger than the manifest of the largest set with shards of a sensible size. */
const MOST_MANIFEST_BYTES = 64 * 1024 ** 2;

/** Reads and checks the manifest of the set in `store`; undefined: none has been published there. */
export async function readManifest(store: KnowledgeStore): Promise<KnowledgeManifest | undefined> {
  const size = await store.size(MANIFEST);
  if (size === undefined) return undefined;
  const where = `${store.url}/${MANIFEST}`;
  if (size > MOST_MANIFEST_BYTES) throw new KnowledgeFault('foreign', `${where} is too long (${size} bytes) to be one`);
  const bytes = await store.read(MANIFEST, 0, size);
  let manifest: KnowledgeManifest;
  try {
    manifest = fromJsonString(KnowledgeManifestSchema, Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new KnowledgeFault('damaged', `${where} cannot be read as a manifest; remove it and run the teacher again`, {
      cause,
    });
  }
  checkManifest(manifest, where);
  return manifest;
}

/**
 * Makes sure that a manifest fits together: its checksum, and shards that cover every image once.
 *
 * @throws KnowledgeFault naming `where`
 */
export function checkManifest(manifest: KnowledgeManifest, where: string): void {
  checkDescription(manifest.knowledge, where);
  const { knowledge, shards } = manifest;
  if (manifest.knowledgeSha256 !== knowledgeSha256(knowledge)) {
    throw new KnowledgeFault('damaged', `${where} is damaged: its description has not the checksum it states`);
  }
  const ranges = shardRanges(knowledge);
  if (shards.length !== ranges.length) {
    throw new KnowledgeFault(
      'malformed',
      `${where} lists ${shards.length} shards; its ${knowledge.images} images take ${ranges.length}`,
    );
  }
  for (const [i, range] of ranges.entries()) {
    const { file, firstImage, images, sha256 } = shards[i]!;
    if (firstImage !== range.firstImage || images !== range.images || file !== shardFile(range)) {
      throw new KnowledgeFault('malformed', `${where}: shard ${i} is ${file}; ${shardFile(range)} belongs there`);
    }
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new KnowledgeFault('malformed', `${where}: ${file} has no SHA-256`);
  }
}

/**
 * The shards of a set that lie in `store` whole and sound, read through and checked. Faulty ones are left out, and told
 * to `onFault`: they are to be made again.
 *
 * @throws KnowledgeFault `other-...` or `misplaced` when shards of another set lie there
 */
export async function storedShards(
  store: KnowledgeStore,
  knowledge: KnowledgeDescription,
  onFault: (fault: KnowledgeFault) => void = () => {},
): Promise<ShardEntry[]> {
  const found: ShardEntry[] = [];
  for (const range of shardRanges(knowledge)) {
    const entry = await intactShard(store, { knowledge, ...range }, onFault);
    if (entry) found.push(entry);
  }
  return found;
}

/**
 * A shard that lies in `store`, read through; undefined where there is none, or a faulty one that is to be made again.
 *
 * @throws KnowledgeFault as {@link storedShards}
 */
export async function intactShard(
  store: KnowledgeStore,
  expected: ExpectedShard,
  onFault: (fault: KnowledgeFault) => void = () => {},
): Promise<ShardEntry | undefined> {
  try {
    return await inspectShard(store, expected);
  } catch (error) {
    const remakeable = error instanceof KnowledgeFault && (error.kind === 'damaged' || error.kind === 'truncated');
    if (!remakeable) throw error;
    onFault(error);
    return undefined;
  }
}

/** Publishes a set whose shards are all stored: from now on it can be read. The same shards give the same bytes. */
export async function publishManifest(
  store: KnowledgeStore,
  knowledge: KnowledgeDescription,
  shards: readonly ShardEntry[],
): Promise<KnowledgeManifest> {
  const manifest = create(KnowledgeManifestSchema, {
    knowledge,
    knowledgeSha256: knowledgeSha256(knowledge),
    shards: [...shards].sort((a, b) => a.firstImage - b.firstImage),
  });
  checkManifest(manifest, `the manifest of ${store.url}`);
  await store.write(MANIFEST, [Buffer.from(`${JSON.stringify(toJson(KnowledgeManifestSchema, manifest), null, 1)}\n`)]);
  return manifest;
}
