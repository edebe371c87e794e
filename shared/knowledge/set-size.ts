import type { KnowledgeSet } from './knowledge-set.js';
import { MANIFEST } from './publish.js';
import type { KnowledgeStore } from './store.js';

/** How large stored knowledge is, beside what it stands for. */
export interface SetSize {
  /** All files of the set: headers, checksums and manifest included. */
  readonly bytes: number;
  readonly bytesPerView: number;
  /** The teacher's whole distribution as 32-bit floating point, without any view, header or checksum. */
  readonly denseBytesPerView: number;
}

/** Measures a published set. */
export async function setSize(store: KnowledgeStore, set: KnowledgeSet): Promise<SetSize> {
  const manifest = (await store.size(MANIFEST)) ?? 0;
  const bytes = set.manifest.shards.reduce((sum, shard) => sum + shard.bytes, manifest);
  return { bytes, bytesPerView: bytes / set.records, denseBytesPerView: 4 * set.codec.classes };
}
