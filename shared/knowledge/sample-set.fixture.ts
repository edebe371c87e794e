/** Small knowledge sets for tests. */
import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { augmentation } from '../data/augment.js';
import type { KnowledgeDescription, ShardEntry } from '../gen/semlink/v1/knowledge_pb.js';
import { describeKnowledge, type KnowledgePlan, viewsOf } from './description.js';
import { FolderStore } from './folder-store.js';
import { publishManifest } from './publish.js';
import { RecordCodec } from './record.js';
import { newShard, type ShardLayout, shardEntry, shardFile, shardRanges } from './shard.js';
import type { KnowledgeStore } from './store.js';

export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

export function samplePlan(change: Partial<KnowledgePlan> & { classes?: number } = {}): KnowledgePlan {
  const { classes = 10, ...rest } = change;
  const images = rest.images ?? 50;
  return {
    dataSet: { name: 'sample', images, width: 8, height: 8, classes, sha256: sha256Of('data') },
    teacher: { name: 'sample teacher', sha256: sha256Of('teacher') },
    augmentation: augmentation(7),
    images,
    views: 3,
    topK: 4,
    imagesPerShard: 20,
    ...rest,
  };
}

/** A description with blocks of a few records, so that small sets have several. */
export function sampleDescription(change: Parameters<typeof samplePlan>[0] = {}): KnowledgeDescription {
  const description = describeKnowledge(samplePlan(change));
  description.recordsPerBlock = 16;
  return description;
}

/** Class probabilities of one view: a function of image and view. */
export function sampleProbabilities(image: number, view: number, classes: number): Float32Array {
  const raw = Float64Array.from(
    { length: classes },
    (_, c) => Math.abs(Math.sin(1 + image * 12.9898 + view * 78.233 + c * 37.719)) ** 9,
  );
  const sum = raw.reduce((total, p) => total + p, 0);
  return Float32Array.from(raw, (p) => p / sum);
}

/** All files of a set, in the order of their images. */
export function sampleShards(
  knowledge: KnowledgeDescription,
): { layout: ShardLayout; file: Uint8Array; entry: ShardEntry }[] {
  const codec = new RecordCodec(knowledge);
  const seeded = viewsOf(knowledge);
  const { views, featureSize } = knowledge;
  return shardRanges(knowledge).map((range) => {
    const layout = newShard(knowledge, range);
    const records = new Uint8Array(layout.records * codec.bytes);
    for (let i = 0; i < layout.records; i++) {
      const [image, view] = [range.firstImage + Math.floor(i / views), i % views];
      const feature = Float32Array.from({ length: featureSize }, (_, d) => Math.cos(image + view * d));
      const probabilities = sampleProbabilities(image, view, codec.classes);
      codec.encode(records, i * codec.bytes, seeded.viewOf(image, view), probabilities, 0, feature);
    }
    const file = layout.encode(records);
    return { layout, file, entry: shardEntry(layout, file) };
  });
}

/** Writes a sample set; without `publish` it has no manifest. */
export async function writeSampleSet(
  store: KnowledgeStore,
  knowledge = sampleDescription(),
  publish = true,
): Promise<KnowledgeDescription> {
  const shards = sampleShards(knowledge);
  for (const { layout, file } of shards) await store.write(shardFile(layout.header), [file]);
  if (publish)
    await publishManifest(
      store,
      knowledge,
      shards.map(({ entry }) => entry),
    );
  return knowledge;
}

/** A store in a folder of its own, which the system clears away. */
export async function temporaryStore(): Promise<FolderStore> {
  return new FolderStore(await mkdtemp(path.join(tmpdir(), 'semlink-knowledge-')));
}
