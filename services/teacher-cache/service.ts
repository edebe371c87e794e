import { create } from '@bufbuild/protobuf';
import type { ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';
import type { KnowledgeDescription } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import {
  DescribeKnowledgeResponseSchema,
  GetKnowledgeResponseSchema,
  type KnowledgeSet as KnowledgeSetMessage,
  KnowledgeSetSchema,
  type PutKnowledgeRequest,
  type PutKnowledgeResponse,
  PutKnowledgeResponseSchema,
  type ShardBegin,
  type StreamKnowledgeRequest,
  type StreamKnowledgeResponse,
  StreamKnowledgeResponseSchema,
  TeacherCacheService,
} from '../../shared/gen/semlink/v1/teacher_cache_pb.js';
import { KnowledgeFault } from '../../shared/knowledge/fault.js';
import { RECORDS_PER_BATCH, type RecordBatch, streamRecords } from '../../shared/knowledge/record-stream.js';
import { implementService, type ServiceImplementation } from '../../shared/rpc/adapter.js';
import type { DrainList } from '../../shared/rpc/drain-list.js';
import { Code, invalidArgument, SemlinkError } from '../../shared/rpc/errors.js';
import { ATTRIBUTES, type JobSpan, type Telemetry } from '../../shared/telemetry/index.js';
import { forJob } from './job-calls.js';
import type { KnowledgeLibrary, SetState } from './library.js';
import { ROLE } from './role.js';
import { Slots } from './slots.js';

/** Most ids of one GetKnowledge. */
const MOST_IDS = 65_536;
/** Most records of one message of a stream, and most bytes. */
const MOST_RECORDS_A_MESSAGE = 65_536;
const MESSAGE_BYTES = 1024 ** 2;

export interface TeacherCacheParts {
  readonly library: KnowledgeLibrary;
  readonly telemetry: Telemetry;
  readonly drains: DrainList;
  /** Uploads at a time. */
  readonly uploads: number;
}

/** Maps calls to the library, one message at a time. */
export function teacherCacheService(parts: TeacherCacheParts): ServiceImplementation {
  const { library, telemetry } = parts;
  const metrics = telemetry.metrics.knowledge;
  const uploads = new Slots(parts.uploads);

  /** Counts and logs faults, and looks at a faulty set anew. */
  const watched = async <T>(set: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof KnowledgeFault && error.kind !== 'absent') {
        metrics.fault(error.kind);
        telemetry.logger.error({ set, kind: error.kind }, error.message);
        library.forget(set);
      }
      throw error;
    }
  };

  return implementService(TeacherCacheService, {
    putKnowledge: async (call) => {
      const start = performance.now();
      try {
        // Nothing is read from an upload that waits, so its sender waits too.
        return await uploads.with(() =>
          forJob(call.metadata, 'PutKnowledge', (span) => receiveShards(parts, call, span)),
        );
      } finally {
        metrics.observeCall('put', (performance.now() - start) / 1e3);
      }
    },
    streamKnowledge: async (call) => {
      const closed = telemetry.metrics.streamOpened('served');
      try {
        await watched(call.request.set, () =>
          forJob(call.metadata, 'StreamKnowledge', (span) => sendRecords(parts, call, span)),
        );
      } finally {
        closed();
      }
    },
    getKnowledge: async ({ set: name, ids }, { metadata }) => {
      const start = performance.now();
      if (ids.length > MOST_IDS) throw invalidArgument('number of ids', ids.length, `use at most ${MOST_IDS}`);
      const records = await watched(name, () =>
        forJob(metadata, 'GetKnowledge', async (span) => {
          span?.set({ [ATTRIBUTES.knowledgeSet]: name, [ATTRIBUTES.records]: ids.length });
          return (await library.set(name)).readRecords(ids);
        }),
      );
      metrics.sent('get', ids.length, records.length);
      metrics.observeCall('get', (performance.now() - start) / 1e3);
      return create(GetKnowledgeResponseSchema, { records });
    },
    describeKnowledge: async ({ set: name }) => {
      const start = performance.now();
      const sets: KnowledgeSetMessage[] = [];
      if (name !== '') sets.push(setMessage(await watched(name, () => library.describe(name))));
      else {
        for await (const one of library.names()) {
          // One faulty set must not hide the others.
          const state = await watched(one, () => library.describe(one)).catch(() => undefined);
          if (state) sets.push(setMessage(state));
        }
      }
      metrics.observeCall('describe', (performance.now() - start) / 1e3);
      return create(DescribeKnowledgeResponseSchema, { sets });
    },
  });
}

/** Takes shard after shard; each is stored as its bytes arrive, no faster than the store takes them. */
async function receiveShards(
  { library, telemetry }: TeacherCacheParts,
  call: ServerReadableStream<PutKnowledgeRequest, PutKnowledgeResponse>,
  span: JobSpan | undefined,
): Promise<PutKnowledgeResponse> {
  const metrics = telemetry.metrics.knowledge;
  const requests = (call as AsyncIterable<PutKnowledgeRequest>)[Symbol.asyncIterator]();
  let request = await requests.next();
  let set: string | undefined;
  let stored = 0;
  let bytes = 0;
  while (!request.done) {
    const begin = beginOf(request.value, set);
    set = begin.set;
    const draft = library.draft(set);
    const put = await draft.put(begin.knowledge, begin.shard, chunksOfShard()).catch((error: unknown) => {
      metrics.shard('refused');
      throw error;
    });
    metrics.shard(put ? 'stored' : 'known');
    if (put) stored++;
  }
  if (set === undefined) throw invalidArgument('upload', 'empty', 'begin it with a shard');
  span?.set({ [ATTRIBUTES.knowledgeSet]: set, [ATTRIBUTES.bytes]: bytes });
  const published = await library.publishIfComplete(set);
  if (published) telemetry.logger.info({ set }, 'knowledge published');
  return create(PutKnowledgeResponseSchema, { stored, published });

  async function* chunksOfShard(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      request = await requests.next();
      if (request.done || request.value.part.case !== 'chunk') return;
      const chunk = request.value.part.value;
      metrics.received(chunk.length);
      bytes += chunk.length;
      yield chunk;
    }
  }
}

function beginOf({ part }: PutKnowledgeRequest, set: string | undefined): ShardBegin {
  if (part.case !== 'begin') throw invalidArgument('message', part.case ?? 'empty', 'begin a shard before its chunks');
  if (set !== undefined && part.value.set !== set) {
    throw invalidArgument('set', part.value.set, `one upload is for one set, and this one began with "${set}"`);
  }
  return part.value;
}

/** Sends records as fast as the trainer takes them; ends with UNAVAILABLE when the service is about to stop. */
async function sendRecords(
  { library, telemetry, drains }: TeacherCacheParts,
  call: ServerWritableStream<StreamKnowledgeRequest, StreamKnowledgeResponse>,
  span: JobSpan | undefined,
): Promise<void> {
  const metrics = telemetry.metrics.knowledge;
  const start = performance.now();
  const { set: name, firstImage, images, shuffle, position, recordsPerMessage } = call.request;
  if (recordsPerMessage > MOST_RECORDS_A_MESSAGE) {
    throw invalidArgument('records_per_message', recordsPerMessage, `use at most ${MOST_RECORDS_A_MESSAGE}`);
  }
  const set = await library.set(name);
  const fitting = Math.max(1, Math.floor(MESSAGE_BYTES / (set.description.recordBytes + 4)));
  const batch = Math.min(recordsPerMessage || RECORDS_PER_BATCH, fitting);
  const stream = streamRecords(set, { firstImage, images, shuffle, position: Number(position), batch });
  let first = true;
  let sent = 0;
  span?.set({ [ATTRIBUTES.knowledgeSet]: name });
  for await (const part of stream) {
    if (call.cancelled || call.destroyed) return;
    if (drains.draining) {
      throw new SemlinkError(
        Code.UNAVAILABLE,
        `${ROLE} is about to stop; go on from position ${part.position} elsewhere`,
      );
    }
    if (first) metrics.observeCall('stream', (performance.now() - start) / 1e3);
    first = false;
    metrics.sent('stream', part.count, part.records.length);
    sent += part.count;
    if (!call.write(batchMessage(part)) && !(await drained(call))) return;
  }
  span?.set({ [ATTRIBUTES.records]: sent });
  call.end();
}

/** Whether the peer takes more; false when it has gone. */
function drained(call: ServerWritableStream<StreamKnowledgeRequest, StreamKnowledgeResponse>): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (open: boolean) => () => {
      for (const [event, listener] of listeners) call.off(event, listener);
      resolve(open);
    };
    const listeners = [
      ['drain', settle(true)],
      ['cancelled', settle(false)],
      ['close', settle(false)],
    ] as const;
    for (const [event, listener] of listeners) call.on(event, listener);
    if (call.cancelled) settle(false)();
  });
}

function batchMessage({ position, count, ids, firstId, records }: RecordBatch): StreamKnowledgeResponse {
  return create(StreamKnowledgeResponseSchema, {
    position: BigInt(position),
    count,
    firstId,
    records,
    ...(ids && { ids: littleEndian(ids) }),
  });
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function littleEndian(ids: Uint32Array): Uint8Array {
  if (HOST_IS_LITTLE_ENDIAN) return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  const bytes = Buffer.alloc(ids.byteLength);
  for (const [i, id] of ids.entries()) bytes.writeUInt32LE(id, 4 * i);
  return bytes;
}

function setMessage({ name, knowledge, published, shards }: SetState): KnowledgeSetMessage {
  return create(KnowledgeSetSchema, {
    name,
    knowledge: knowledge satisfies KnowledgeDescription,
    published,
    shards: [...shards],
  });
}
