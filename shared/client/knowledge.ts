import { randomInt } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Metadata } from '@grpc/grpc-js';
import type { KnowledgeDescription, ShardEntry } from '../gen/semlink/v1/knowledge_pb.js';
import {
  type KnowledgeSet as KnowledgeSetMessage,
  type PutKnowledgeRequest,
  PutKnowledgeRequestSchema,
  type PutKnowledgeResponse,
  type ShardBegin,
  ShardBeginSchema,
  type StreamKnowledgeResponse,
  TeacherCacheService,
} from '../gen/semlink/v1/teacher_cache_pb.js';
import { checkDescription } from '../knowledge/description.js';
import { KnowledgeFault } from '../knowledge/fault.js';
import type { RecordBatch, RecordStreamOptions } from '../knowledge/record-stream.js';
import { createRpcClient, type RpcClient } from '../rpc/client.js';
import { Code, SemlinkError, toSemlinkError } from '../rpc/errors.js';
import { RECEIVE_WINDOW_BYTES } from '../rpc/receive-window.js';
import { clientTls, type TlsConfig } from '../rpc/tls.js';
import { TRACEPARENT_KEY } from '../telemetry/index.js';

export interface KnowledgeClientOptions {
  /**
   * `host:port` of a teacher-cache, or several with commas between: workers or replicas on one store. Calls take turns, and
   * go to the next where one is not reachable.
   */
  address: string;
  /** Files for TLS; default: plain text. */
  tls?: TlsConfig | undefined;
  /** How long a stream that broke off may take to go on, ms. Default 10,000. */
  reconnectMs?: number;
}

/** Looking through a large set that is not published takes the service a while. */
const DESCRIBE_MS = 120_000;
const GET_MS = 30_000;
const CHUNK_BYTES = 256 * 1024;
const RETRY_MS = 200;

/** A teacher-cache, as trainers and teachers use it. Calls can carry the span they are made for (`JobSpan.traceparent`). */
export class KnowledgeClient {
  readonly address: string;
  readonly #clients: RpcClient<typeof TeacherCacheService.method>[];
  #turn: number;
  readonly #reconnectMs: number;

  constructor(options: KnowledgeClientOptions) {
    this.address = options.address;
    this.#reconnectMs = options.reconnectMs ?? 10_000;
    const tls = options.tls && clientTls(options.tls);
    this.#clients = options.address.split(',').map((address) =>
      createRpcClient(TeacherCacheService, {
        address: address.trim(),
        maxMessageBytes: 64 * 1024 ** 2,
        receiveWindowBytes: RECEIVE_WINDOW_BYTES,
        ...tls,
      }),
    );
    // Many trainers that start together begin at different ones.
    this.#turn = randomInt(this.#clients.length);
  }

  /** All sets, published or not. */
  async sets(): Promise<KnowledgeSetMessage[]> {
    return (await this.#ask((rpc) => rpc.describeKnowledge({}, { deadlineMs: DESCRIBE_MS }))).sets;
  }

  /** What there is of one set; undefined when there is nothing. */
  async describe(set: string): Promise<KnowledgeSetMessage | undefined> {
    try {
      return (await this.#ask((rpc) => rpc.describeKnowledge({ set }, { deadlineMs: DESCRIBE_MS }))).sets[0];
    } catch (error) {
      if (toSemlinkError(error).code === Code.NOT_FOUND) return undefined;
      throw error;
    }
  }

  /**
   * The description of a published set.
   *
   * @throws KnowledgeFault when it is not published or makes no sense
   */
  async published(set: string): Promise<KnowledgeDescription> {
    const found = await this.describe(set);
    const where = `knowledge set "${set}" at ${this.address}`;
    if (!found?.published)
      throw new KnowledgeFault('absent', `${where} is not there, or not complete; run "semlink teach"`);
    checkDescription(found.knowledge, where);
    return found.knowledge;
  }

  /** Single records, one after the other in the order asked for; ids are image x views + view, at most 65,536. */
  async get(set: string, ids: ArrayLike<number>, traceparent = ''): Promise<Uint8Array> {
    const options = { deadlineMs: GET_MS, metadata: jobMetadata(traceparent) };
    return (await this.#ask((rpc) => rpc.getKnowledge({ set, ids: Array.from(ids) }, options))).records;
  }

  /**
   * Records in order. A stream that breaks off goes on where it was, with this service or another behind the address;
   * every record comes once.
   *
   * @throws SemlinkError UNAVAILABLE when it cannot go on within `reconnectMs`, and every other error at once
   */
  async *stream(
    set: string,
    options: RecordStreamOptions = {},
    traceparent = '',
  ): AsyncGenerator<RecordBatch, void, undefined> {
    let position = options.position ?? 0;
    let deadline = Date.now() + this.#reconnectMs;
    for (;;) {
      const request = {
        set,
        firstImage: options.firstImage ?? 0,
        images: options.images ?? 0,
        ...(options.shuffle && { shuffle: options.shuffle }),
        position: BigInt(position),
        recordsPerMessage: options.batch ?? 0,
      };
      const call = this.#next().streamKnowledge(request, { metadata: jobMetadata(traceparent) });
      try {
        for await (const message of call as AsyncIterable<StreamKnowledgeResponse>) {
          yield batchOf(message);
          position = Number(message.position) + message.count;
          deadline = Date.now() + this.#reconnectMs;
        }
        return;
      } catch (error) {
        const known = toSemlinkError(error);
        if (known.code !== Code.UNAVAILABLE || Date.now() > deadline) throw known;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      } finally {
        call.cancel();
      }
    }
  }

  /** Stores one shard file; the set is published with its last one. Storing it twice does nothing. */
  async put(
    set: string,
    knowledge: KnowledgeDescription,
    shard: ShardEntry,
    file: Uint8Array,
    traceparent = '',
  ): Promise<PutKnowledgeResponse> {
    return this.#ask((rpc) => putShard(rpc, create(ShardBeginSchema, { set, knowledge, shard }), file, traceparent));
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #next(): RpcClient<typeof TeacherCacheService.method> {
    const client = this.#clients[this.#turn]!;
    this.#turn = (this.#turn + 1) % this.#clients.length;
    return client;
  }

  /** Asks one after the other until one is reached; every call can be made twice. */
  async #ask<T>(call: (rpc: RpcClient<typeof TeacherCacheService.method>) => Promise<T>): Promise<T> {
    for (let others = this.#clients.length - 1; ; others--) {
      try {
        return await call(this.#next());
      } catch (error) {
        if (others === 0 || toSemlinkError(error).code !== Code.UNAVAILABLE) throw error;
      }
    }
  }
}

async function putShard(
  rpc: RpcClient<typeof TeacherCacheService.method>,
  begin: ShardBegin,
  file: Uint8Array,
  traceparent: string,
): Promise<PutKnowledgeResponse> {
  const { call, response } = rpc.putKnowledge({ metadata: jobMetadata(traceparent) });
  let over = false;
  const settled = response.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  const write = async (part: PutKnowledgeRequest['part']): Promise<void> => {
    if (over || call.write(create(PutKnowledgeRequestSchema, { part }))) return;
    await Promise.race([new Promise<void>((resolve) => call.once('drain', resolve)), settled]);
  };
  call.on('error', () => {});
  await write({ case: 'begin', value: begin });
  for (let from = 0; from < file.length && !over; from += CHUNK_BYTES) {
    await write({ case: 'chunk', value: file.subarray(from, from + CHUNK_BYTES) });
  }
  if (!over) call.end();
  return response;
}

function jobMetadata(traceparent: string): Metadata {
  const metadata = new Metadata();
  if (traceparent !== '') metadata.set(TRACEPARENT_KEY, traceparent);
  return metadata;
}

function batchOf({ position, count, ids, firstId, records }: StreamKnowledgeResponse): RecordBatch {
  if (ids.length > 0 && ids.length !== 4 * count) {
    throw new SemlinkError(Code.DATA_LOSS, `a message has ${count} records and ${ids.length} bytes of ids`);
  }
  // Copied, for a view of the message need not be aligned.
  return { position: Number(position), count, firstId, records, ids: ids.length > 0 ? idsOf(ids) : undefined };
}

function idsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}
