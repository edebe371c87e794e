/** For the tests of frame streams: one hop to a receiver that behaves as told. */
import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  type FrameResult,
  FrameResultSchema,
  type SymbolFrame,
  SymbolFrameSchema,
} from '../gen/semlink/v1/frame_pb.js';
import {
  type ReceiveRequest,
  ReceiveRequestSchema,
  type ReceiveResponse,
  ReceiveResponseSchema,
  ReceiverDecoderService,
} from '../gen/semlink/v1/receiver_decoder_pb.js';
import { implementService } from './adapter.js';
import { createRpcClient, type RpcClientOptions } from './client.js';
import type { DrainList } from './drain-list.js';
import { resultFields } from './frame-result.js';
import { FrameStreamClient } from './frame-stream-client.js';
import type { FrameStreamClientOptions } from './frame-stream-options.js';
import { type FrameStreamServerOptions, serveFrameStream } from './frame-stream-server.js';
import { type ServerHandle, type ServerOptions, startServer } from './server.js';

export type ReceiveCall = ServerDuplexStream<ReceiveRequest, ReceiveResponse>;
type StreamOptions = FrameStreamServerOptions<SymbolFrame, ReceiveRequest, ReceiveResponse>;

/** A frame of `bytes` payload bytes. */
export function symbolFrame(sequence: number | bigint, { linkId = 'link', bytes = 32 } = {}): SymbolFrame {
  return create(SymbolFrameSchema, {
    header: { linkId, sequence: BigInt(sequence), captureTimeUnixNano: 1n },
    channelUses: bytes / 8,
    iq: new Uint8Array(bytes),
  });
}

/** The answer a receiver gives. */
export function resultFor(frame: SymbolFrame): FrameResult {
  return create(FrameResultSchema, {
    ...resultFields(frame.header),
    outcome: { case: 'classification', value: { label: 3, confidence: 1 } },
    channelUses: frame.channelUses,
  });
}

/** A server whose every call is handed to `receive`. */
export function startReceiver(
  receive: (call: ReceiveCall) => void,
  options: Partial<ServerOptions> = {},
): Promise<ServerHandle> {
  const service = implementService(ReceiverDecoderService, { receive });
  return startServer({ role: 'receiver-decoder', listen: '127.0.0.1:0', services: [service], ...options });
}

/** Serves a call the proper way; by default every frame is answered at once. */
export function receiveProperly(call: ReceiveCall, options: Partial<StreamOptions> & { drains?: DrainList } = {}) {
  return serveFrameStream(call, {
    origin: 'receiver-decoder',
    framesOf: (request) => request.frames,
    toResponse: (parts) => create(ReceiveResponseSchema, parts),
    bytesOf: (frame) => frame.iq.length,
    onFrames: (frames, stream) => {
      for (const frame of frames) stream.answer(resultFor(frame));
    },
    ...options,
  });
}

/** A sender that keeps, by "link/sequence", every result it got. */
export class Sender {
  readonly results = new Map<string, FrameResult[]>();
  readonly states: string[] = [];
  readonly stream: FrameStreamClient<SymbolFrame, ReceiveRequest, ReceiveResponse, undefined>;
  readonly #close: () => void;

  constructor(
    address: string,
    options: Partial<FrameStreamClientOptions<SymbolFrame, ReceiveRequest, ReceiveResponse, undefined>> = {},
    clientOptions: Partial<RpcClientOptions> = {},
  ) {
    const client = createRpcClient(ReceiverDecoderService, { address, ...clientOptions });
    this.#close = () => client.close();
    this.stream = new FrameStreamClient({
      peer: { role: 'receiver-decoder', address },
      origin: 'test-sender',
      open: () => client.receive(),
      isConnected: () => client.isConnected(),
      toRequest: (frames: SymbolFrame[]) => create(ReceiveRequestSchema, { frames }),
      bytesOf: (frame) => frame.iq.length,
      onResult: (result) => {
        const key = `${result.linkId}/${result.sequence}`;
        this.results.set(key, [...(this.results.get(key) ?? []), result]);
      },
      onState: (state) => this.states.push(state),
      ...options,
    });
  }

  /** The only result of a frame; throws when there is none or more than one. */
  result(sequence: number | bigint, linkId = 'link'): FrameResult {
    const results = this.results.get(`${linkId}/${sequence}`) ?? [];
    if (results.length !== 1) throw new Error(`frame ${linkId}/${sequence} has ${results.length} results`);
    return results[0]!;
  }

  /** Error code of a frame's only result; undefined when it is an answer. */
  errorCode(sequence: number | bigint, linkId = 'link'): number | undefined {
    const { outcome } = this.result(sequence, linkId);
    return outcome.case === 'error' ? outcome.value.code : undefined;
  }

  errorMessage(sequence: number | bigint, linkId = 'link'): string {
    const { outcome } = this.result(sequence, linkId);
    return outcome.case === 'error' ? outcome.value.message : '';
  }

  async close(): Promise<void> {
    await this.stream.close();
    this.#close();
  }
}

/** Makes receivers and senders, which `end` lets go of, the last one first. */
export function hops() {
  const cleanups: (() => unknown)[] = [];
  return {
    async receiver(receive: (call: ReceiveCall) => void, options: Partial<ServerOptions> = {}): Promise<ServerHandle> {
      const server = await startReceiver(receive, { drainLimitMs: 500, ...options });
      cleanups.push(() => server.drain());
      return server;
    },
    sender(...parameters: ConstructorParameters<typeof Sender>): Sender {
      const made = new Sender(...parameters);
      cleanups.push(() => {
        made.stream.cancel();
        return made.close();
      });
      return made;
    },
    async end(): Promise<void> {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    },
  };
}

/** Resolves once `test` holds; rejects after `limitMs`. */
export async function until(test: () => boolean, limitMs = 5_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!test()) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${test}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
