import type { Counter, Histogram, Registry } from 'prom-client';
import { BoundedLabels } from './bounded-labels.js';
import { makeCounter, makeHistogram } from './instruments.js';
import { METRICS } from './names.js';

export type KnowledgeCall = 'put' | 'stream' | 'get' | 'describe';
export type ShardOutcome = 'stored' | 'known' | 'refused';

// Kinds of faults come from code; the bound is for bugs.
const FAULT_LIMIT = 32;

/** What stored knowledge is used for, and how fast. */
export class KnowledgeMetrics {
  readonly #records: Counter<'call'>;
  readonly #bytes: Counter<'direction'>;
  readonly #blocks: Counter<'outcome'>;
  readonly #reads: Histogram;
  readonly #calls: Histogram<'call'>;
  readonly #shards: Counter<'outcome'>;
  readonly #faults: Counter<'kind'>;
  readonly #kinds = new BoundedLabels(FAULT_LIMIT);

  constructor(registry: Registry) {
    this.#records = makeCounter<'knowledgeRecords'>(registry, METRICS.knowledgeRecords);
    this.#bytes = makeCounter<'knowledgeBytes'>(registry, METRICS.knowledgeBytes);
    this.#blocks = makeCounter<'knowledgeBlocks'>(registry, METRICS.knowledgeBlocks);
    this.#reads = makeHistogram<'knowledgeStoreReads'>(registry, METRICS.knowledgeStoreReads);
    this.#calls = makeHistogram<'knowledgeCalls'>(registry, METRICS.knowledgeCalls);
    this.#shards = makeCounter<'knowledgeShards'>(registry, METRICS.knowledgeShards);
    this.#faults = makeCounter<'knowledgeFaults'>(registry, METRICS.knowledgeFaults);
    // All are there from the start, so that a rate is 0 and not absent.
    for (const call of ['stream', 'get']) this.#records.inc({ call }, 0);
    for (const direction of ['sent', 'received', 'read']) this.#bytes.inc({ direction }, 0);
    for (const outcome of ['hit', 'miss']) this.#blocks.inc({ outcome }, 0);
    for (const outcome of ['stored', 'known', 'refused']) this.#shards.inc({ outcome }, 0);
  }

  /** Records on their way to a trainer. */
  sent(call: 'stream' | 'get', records: number, bytes: number): void {
    this.#records.inc({ call }, records);
    this.#bytes.inc({ direction: 'sent' }, bytes);
  }

  /** Bytes of a shard from a teacher. */
  received(bytes: number): void {
    this.#bytes.inc({ direction: 'received' }, bytes);
  }

  /** Blocks that were in memory. */
  hit(blocks: number): void {
    this.#blocks.inc({ outcome: 'hit' }, blocks);
  }

  /** One range read of the store. */
  miss(blocks: number, bytes: number, seconds: number): void {
    this.#blocks.inc({ outcome: 'miss' }, blocks);
    this.#bytes.inc({ direction: 'read' }, bytes);
    this.#reads.observe(seconds);
  }

  /** How long a call took; of a stream, until its first message. */
  observeCall(call: KnowledgeCall, seconds: number): void {
    this.#calls.observe({ call }, seconds);
  }

  shard(outcome: ShardOutcome): void {
    this.#shards.inc({ outcome });
  }

  /** A fault in stored knowledge, by its kind. */
  fault(kind: string): void {
    this.#faults.inc({ kind: this.#kinds.fold(kind) });
  }
}
