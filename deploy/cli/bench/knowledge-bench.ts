import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KnowledgeClient } from '../../../shared/client/knowledge.js';
import { augmentation, SeededViews } from '../../../shared/data/augment.js';
import type { ShardEntry } from '../../../shared/gen/semlink/v1/knowledge_pb.js';
import { BlockCache } from '../../../shared/knowledge/block-cache.js';
import { describeKnowledge } from '../../../shared/knowledge/description.js';
import { FolderStore } from '../../../shared/knowledge/folder-store.js';
import { KnowledgeSet } from '../../../shared/knowledge/knowledge-set.js';
import { publishManifest } from '../../../shared/knowledge/publish.js';
import { RecordCodec } from '../../../shared/knowledge/record.js';
import { type RecordBatch, streamRecords } from '../../../shared/knowledge/record-stream.js';
import { newShard, shardEntry, shardFile, shardRanges } from '../../../shared/knowledge/shard.js';
import { philox4x32 } from '../../../shared/random/philox.js';
import { startServiceProcess } from '../../local/processes.js';

export interface KnowledgeBench {
  /** Shuffled, from files, every checksum checked, nothing of it cached by us. */
  local_records_per_second: number;
  local_sequential_records_per_second: number;
  /** Shuffled, from a teacher-cache in a process of its own, over loopback. */
  grpc_records_per_second: number;
  grpc_sequential_records_per_second: number;
  /** All files of the set, headers, checksums and manifest included. */
  bytes_per_view: number;
  /** The whole distribution as 32-bit floating point. */
  dense_bytes_per_view: number;
  records: number;
}

const SET = 'bench';
const CLASSES = 10;

/**
 * Measures how fast stored knowledge is read: a set of random distributions with the record of CIFAR-10 (top 4 of 10).
 *
 * @param runs of each kind; the fastest counts
 */
export async function benchKnowledge(images: number, views: number, runs: number): Promise<KnowledgeBench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'semlink-bench-'));
  try {
    const store = new FolderStore(path.join(folder, SET));
    const bytes = await writeRandomSet(store, images, views);
    const records = images * views;
    const best = async (read: (epoch: number) => AsyncIterable<RecordBatch>): Promise<number> => {
      let least = Number.POSITIVE_INFINITY;
      for (let run = 0; run < runs; run++) least = Math.min(least, await secondsOf(read(run), records));
      return records / least;
    };
    const local = async function* (shuffle?: { seed: number; epoch: number }): AsyncGenerator<RecordBatch> {
      // A cache that keeps nothing: every block is read and checked in every run.
      yield* streamRecords(await KnowledgeSet.open(store, { cache: new BlockCache(0) }), { shuffle });
    };
    const localShuffled = await best((epoch) => local({ seed: 1, epoch }));
    const localSequential = await best(() => local());
    const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', 'off', '--store', folder];
    const service = await startServiceProcess('teacher-cache', flags, { onLog: () => {} });
    const client = new KnowledgeClient({ address: service.address });
    try {
      const shuffled = await best((epoch) => client.stream(SET, { shuffle: { seed: 1, epoch } }));
      const sequential = await best(() => client.stream(SET));
      return {
        local_records_per_second: Math.round(localShuffled),
        local_sequential_records_per_second: Math.round(localSequential),
        grpc_records_per_second: Math.round(shuffled),
        grpc_sequential_records_per_second: Math.round(sequential),
        bytes_per_view: bytes / records,
        dense_bytes_per_view: 4 * CLASSES,
        records,
      };
    } finally {
      client.close();
      await service.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function secondsOf(batches: AsyncIterable<RecordBatch>, records: number): Promise<number> {
  const start = performance.now();
  let read = 0;
  for await (const { count } of batches) read += count;
  if (read !== records) throw new Error(`${read} records were read of ${records}`);
  return (performance.now() - start) / 1e3;
}

/** @returns bytes of all files */
async function writeRandomSet(store: FolderStore, images: number, views: number): Promise<number> {
  const sha256 = createHash('sha256').update('bench').digest('hex');
  const knowledge = describeKnowledge({
    dataSet: { name: SET, images, width: 32, height: 32, classes: CLASSES, sha256 },
    teacher: { name: SET, sha256 },
    augmentation: augmentation(1),
    images,
    views,
    topK: 4,
  });
  const codec = new RecordCodec(knowledge);
  const seeded = new SeededViews(1);
  const words = new Uint32Array(4);
  const probabilities = new Float32Array(CLASSES);
  const entries: ShardEntry[] = [];
  for (const range of shardRanges(knowledge)) {
    const layout = newShard(knowledge, range);
    const records = new Uint8Array(layout.records * codec.bytes);
    for (let i = 0; i < layout.records; i++) {
      const image = range.firstImage + Math.floor(i / views);
      for (let c = 0; c < CLASSES; c++) {
        if (c % 4 === 0) philox4x32(words, image, i % views, c / 4, 0, 1, 1);
        probabilities[c] = (words[c % 4]! / 2 ** 32) ** 8;
      }
      codec.encode(records, i * codec.bytes, seeded.viewOf(image, i % views), probabilities, 0);
    }
    const file = layout.encode(records);
    entries.push(shardEntry(layout, file));
    await store.write(shardFile(range), [file]);
  }
  await publishManifest(store, knowledge, entries);
  return entries.reduce((sum, { bytes }) => sum + bytes, (await store.size('manifest.json')) ?? 0);
}
