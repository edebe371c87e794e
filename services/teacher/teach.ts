import { writeImageView } from '../../shared/data/augment.js';
import type { LabelledDataSet } from '../../shared/data/labelled-images.js';
import type { KnowledgeDescription, ShardEntry } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { viewsOf } from '../../shared/knowledge/description.js';
import { RecordCodec } from '../../shared/knowledge/record.js';
import { newShard, type ShardLayout, shardRanges } from '../../shared/knowledge/shard.js';
import { ATTRIBUTES, type JobSpan, SPANS } from '../../shared/telemetry/index.js';
import type { FeatureProjection } from './projection.js';
import type { Teacher } from './teacher.js';

/** Where finished shards go: a store, or a teacher-cache. */
export interface KnowledgeTarget {
  /** Shards of this set that are there already, whole and sound. */
  stored(knowledge: KnowledgeDescription): Promise<ShardEntry[]>;
  /**
   * Stores a shard, whole or not at all.
   *
   * @param traceparent of the span of the storing, for whoever does it; empty: none
   */
  put(layout: ShardLayout, file: Uint8Array, traceparent: string): Promise<void>;
  /** Publishes the set if no shard of it is missing. */
  publishIfComplete(knowledge: KnowledgeDescription): Promise<boolean>;
}

/** Which part of a data set one worker does: shards whose number is `index` modulo `of`. */
export interface WorkerShare {
  readonly index: number;
  readonly of: number;
}

export interface TeachingReporter {
  say(sentence: string): void;
  progress(progress: TeachingProgress): void;
}

export interface TeachingProgress {
  /** Views that came with this report. */
  readonly batch: number;
  /** Views that this worker has stored or is about to. */
  readonly done: number;
  /** Views of this worker's whole share. */
  readonly total: number;
  readonly viewsPerSecond: number;
  readonly secondsLeft: number;
}

export interface TeachingOptions {
  readonly knowledge: KnowledgeDescription;
  readonly data: LabelledDataSet;
  readonly teacher: Teacher;
  /** Projection of the teacher's feature, where the description has one. */
  readonly projection?: FeatureProjection | undefined;
  /** Most images the teacher sees at once. Batches never cross a shard, so who works on what does not matter. */
  readonly batch: number;
  readonly share: WorkerShare;
  readonly target: KnowledgeTarget;
  readonly reporter: TeachingReporter;
  readonly stop: AbortSignal;
  /** The span of this worker, under which its parts have theirs. */
  readonly job: JobSpan;
}

export type TeachingResult = 'published' | 'share-done' | 'stopped';

/**
 * Asks the teacher about every view of every image of this worker's share, shard by shard; shards that are stored
 * already are left alone. Publishes the set when the last shard of all workers is there.
 */
export async function teach(options: TeachingOptions): Promise<TeachingResult> {
  const { knowledge, share, target, reporter, stop, job } = options;
  const { views } = knowledge;
  const mine = shardRanges(knowledge).filter((_, i) => i % share.of === share.index);
  const total = mine.reduce((sum, { images }) => sum + images * views, 0);
  const stored = new Set((await target.stored(knowledge)).map(({ firstImage }) => firstImage));
  const missing = mine.filter(({ firstImage }) => !stored.has(firstImage));
  let done = total - missing.reduce((sum, { images }) => sum + images * views, 0);
  if (done > 0) reporter.say(`${done} of ${total} views are stored already`);
  const before = done;
  const start = performance.now();
  for (const range of missing) {
    const layout = newShard(knowledge, range);
    const described = { [ATTRIBUTES.firstImage]: range.firstImage, [ATTRIBUTES.images]: range.images };
    const stored = await job.during(SPANS.shard, described, async (span) => {
      const records = await teachShard(options, layout, (views) => {
        done += views;
        const viewsPerSecond = (done - before) / ((performance.now() - start) / 1e3);
        reporter.progress({ batch: views, done, total, viewsPerSecond, secondsLeft: (total - done) / viewsPerSecond });
      });
      span.set({ [ATTRIBUTES.outcome]: records ? 'stored' : 'stopped' });
      if (!records) return false;
      const file = layout.encode(records);
      await span.during(SPANS.storeShard, { [ATTRIBUTES.bytes]: file.length }, ({ traceparent }) =>
        target.put(layout, file, traceparent),
      );
      return true;
    });
    if (!stored || stop.aborted) return 'stopped';
  }
  return job.during(SPANS.publishKnowledge, {}, async (span) => {
    const result = (await target.publishIfComplete(knowledge)) ? 'published' : 'share-done';
    span.set({ [ATTRIBUTES.outcome]: result });
    return result;
  });
}

/** The records of one shard; undefined when it was stopped in the middle. */
async function teachShard(
  { knowledge, data, teacher, projection, batch, stop }: TeachingOptions,
  layout: ShardLayout,
  onBatch: (views: number) => void,
): Promise<Uint8Array | undefined> {
  const { views, recordBytes } = knowledge;
  const codec = new RecordCodec(knowledge);
  const seeded = viewsOf(knowledge);
  const size = data.width * data.height * 3;
  const rgb = new Uint8Array(batch * size);
  const records = new Uint8Array(layout.records * recordBytes);
  for (let first = 0; first < layout.records; first += batch) {
    if (stop.aborted) return undefined;
    const count = Math.min(batch, layout.records - first);
    const shown = Array.from({ length: count }, (_, i) => {
      const image = layout.header.firstImage + Math.floor((first + i) / views);
      const view = seeded.viewOf(image, (first + i) % views);
      writeImageView(data, image, view, rgb, i * size);
      return view;
    });
    const { probabilities, features } = await teacher.predict(rgb.subarray(0, count * size), count);
    const projected = projection && features ? projection.apply(features, count) : undefined;
    for (let i = 0; i < count; i++) {
      const at = (first + i) * recordBytes;
      codec.encode(records, at, shown[i]!, probabilities, i * teacher.classes, projected, i * knowledge.featureSize);
    }
    onBatch(count);
  }
  return records;
}
