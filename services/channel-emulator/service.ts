import { create } from '@bufbuild/protobuf';
import { decodeSymbols, encodeSymbols } from '../../shared/codec/symbols.js';
import {
  ChannelEmulatorService,
  GetChannelResponseSchema,
  PropagateResponseSchema,
  SetChannelResponseSchema,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import {
  ChannelStateSchema,
  type FrameResult,
  StageTimingsSchema,
  type SymbolFrame,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  type ReceiveRequest,
  ReceiveRequestSchema,
  type ReceiveResponse,
  type ReceiverDecoderService,
} from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { implementService, type ServiceImplementation } from '../../shared/rpc/adapter.js';
import type { RpcClient } from '../../shared/rpc/client.js';
import type { DrainList } from '../../shared/rpc/drain-list.js';
import { toSemlinkError } from '../../shared/rpc/errors.js';
import { checkLinkId } from '../../shared/rpc/frame-header.js';
import { FrameStreamClient, type FrameStreamClientOptions } from '../../shared/rpc/frame-stream-client.js';
import {
  type FrameStream,
  type FrameStreamServerOptions,
  serveFrameStream,
} from '../../shared/rpc/frame-stream-server.js';
import { ATTRIBUTES, nowUnixNano, SPANS, type StreamMark, type Telemetry } from '../../shared/telemetry/index.js';
import { messageOf, settingsFrom } from './channel-messages.js';
import type { Links, Passage } from './links.js';

export const ROLE = 'channel-emulator';

type Downstream = FrameStreamClient<SymbolFrame, ReceiveRequest, ReceiveResponse, SymbolFrame>;
type UpstreamOptions = FrameStreamServerOptions<SymbolFrame, unknown, unknown>;
type DownstreamOptions = FrameStreamClientOptions<SymbolFrame, ReceiveRequest, ReceiveResponse, SymbolFrame>;

export interface EmulatorParts {
  links: Links;
  receiver: RpcClient<typeof ReceiverDecoderService.method>;
  telemetry: Telemetry;
  drains: DrainList;
  /** Streams from transmitters. */
  stream: Pick<UpstreamOptions, 'windowBytes' | 'batch' | 'maxStreamAgeMs' | 'ageDrainLimitMs'>;
  /** Streams to the receiver. */
  hop: Pick<DownstreamOptions, 'windowBytes' | 'batch' | 'frameTimeoutMs' | 'reconnectWaitMs'>;
}

/** Maps streams of symbols to the air and on to the receiver-decoder, and control calls to the links. */
export function emulatorService(parts: EmulatorParts): ServiceImplementation {
  const { links, telemetry } = parts;
  const downstreams = new Set<Downstream>();
  telemetry.metrics.trackQueue('receiver', () => {
    let bytes = 0;
    for (const { bytesInFlight } of downstreams) bytes += bytesInFlight;
    return bytes;
  });
  return implementService(ChannelEmulatorService, {
    setChannel: ({ linkId, channel }) => {
      if (linkId !== '') checkLinkId(linkId);
      const settings = settingsFrom(channel);
      links.setChannel(linkId, settings);
      telemetry.logger.info({ link: linkId || undefined, ...settings }, 'channel set');
      return create(SetChannelResponseSchema);
    },
    getChannel: ({ linkId }) => {
      if (linkId !== '') checkLinkId(linkId);
      const { settings, position } = links.channelOf(linkId);
      const { seed } = links;
      return create(GetChannelResponseSchema, { channel: messageOf(settings), seed, position: BigInt(position) });
    },
    propagate: (call) => {
      const mark = telemetry.tracer.markStream('Propagate', nowUnixNano());
      const closed = telemetry.metrics.streamOpened('served');
      let downstream: Downstream | undefined;
      let downstreamClosed = (): void => {};
      serveFrameStream(call, {
        origin: ROLE,
        framesOf: (request) => request.frames,
        toResponse: (response) => {
          telemetry.metrics.observeAnswers(response.results, nowUnixNano());
          return create(PropagateResponseSchema, response);
        },
        bytesOf: (frame) => frame.iq.length,
        onFrames: (frames, stream) => {
          if (!downstream) {
            downstream = openDownstream(parts, stream);
            downstreams.add(downstream);
            downstreamClosed = telemetry.metrics.streamOpened('called');
          }
          return propagateAll(parts, frames, stream, downstream, mark);
        },
        onEnd: (stream) => {
          closed();
          if (!downstream) return;
          downstreams.delete(downstream);
          downstreamClosed();
          if (stream.signal.aborted) downstream.cancel('the stream of symbols broke off');
          else void downstream.close();
        },
        drains: parts.drains,
        ...parts.stream,
      });
    },
  });
}

/** One stream to the receiver for each stream of symbols, so that one slow or broken source does not hold up another. */
function openDownstream(parts: EmulatorParts, upstream: FrameStream): Downstream {
  const { receiver, telemetry } = parts;
  return new FrameStreamClient({
    peer: { role: 'receiver-decoder', address: receiver.address },
    origin: ROLE,
    open: () => receiver.receive(),
    isConnected: () => receiver.isConnected(),
    toRequest: (frames) => create(ReceiveRequestSchema, { frames }),
    bytesOf: (frame) => frame.iq.length,
    onResult: (result, frame) => {
      upstream.answer(withPassage(result, frame));
    },
    onFeedback: (feedback) => {
      for (const one of feedback) upstream.feedback(one);
    },
    onState: (state, detail) => telemetry.logger.info(`receiver-decoder ${state}: ${detail}`),
    ...parts.hop,
  });
}

/**
 * Sends the frames of one message over the air and on. Frames of a link keep their order; a frame that an outside process
 * has (the `external` model) does not hold up other links. Returns a promise, which stops the reading of further ones,
 * only when the way to the receiver is full.
 */
function propagateAll(
  parts: EmulatorParts,
  frames: SymbolFrame[],
  stream: FrameStream,
  downstream: Downstream,
  mark: StreamMark,
): Promise<void> | undefined {
  const takenUnixNano = nowUnixNano();
  for (const [index, frame] of frames.entries()) {
    parts.telemetry.metrics.addReceivedBytes(frame.iq.length);
    const arrived = propagateOne(parts, frame, stream, mark, takenUnixNano);
    if (arrived instanceof Promise) {
      void arrived.then((good) => (good ? sendOn(frame, stream, downstream) : undefined));
      continue;
    }
    const full = arrived ? sendOn(frame, stream, downstream) : undefined;
    if (full) {
      const rest = frames.slice(index + 1);
      return full.then(() => propagateAll(parts, rest, stream, downstream, mark));
    }
  }
  return undefined;
}

/** Sends a frame to the receiver; what hinders it becomes its answer. A promise when the frame has to wait for room. */
function sendOn(frame: SymbolFrame, stream: FrameStream, downstream: Downstream): Promise<void> | undefined {
  try {
    return downstream.send(frame, frame, stream.signal)?.catch((error: unknown) => void stream.fail(frame, error));
  } catch (error) {
    stream.fail(frame, error);
    return undefined;
  }
}

/**
 * Replaces the symbols of a frame by what arrives. False: the frame was no good and has been answered so. A promise,
 * which never rejects, when an outside process is the channel.
 */
function propagateOne(
  parts: EmulatorParts,
  frame: SymbolFrame,
  stream: FrameStream,
  mark: StreamMark,
  takenUnixNano: bigint,
): boolean | Promise<boolean> {
  const failed = (error: unknown): boolean => {
    fail(parts, frame, stream, mark, takenUnixNano, error);
    return false;
  };
  try {
    const symbols = decodeSymbols(frame);
    const finish = (passage: Passage): boolean => {
      arrive(parts, frame, symbols, passage, mark, takenUnixNano);
      return true;
    };
    const { linkId } = frame.header!;
    if (parts.links.isOutside(linkId)) return parts.links.propagateOutside(linkId, symbols).then(finish).catch(failed);
    return finish(parts.links.propagate(linkId, symbols));
  } catch (error) {
    return failed(error);
  }
}

/** Puts what arrived into the frame. @throws SemlinkError when a symbol that arrived is not finite */
function arrive(
  { telemetry }: EmulatorParts,
  frame: SymbolFrame,
  symbols: Float32Array,
  passage: Passage,
  mark: StreamMark,
  takenUnixNano: bigint,
): void {
  const header = frame.header!;
  const { iq, scale } = encodeSymbols(frame.format, symbols);
  const measuredTimeUnixNano = nowUnixNano();
  frame.iq = iq;
  frame.sc16Scale = scale;
  frame.channel = create(ChannelStateSchema, {
    ...passage,
    position: BigInt(passage.position),
    measuredTimeUnixNano,
  });
  frame.timings ??= create(StageTimingsSchema);
  frame.timings.channelNanos = measuredTimeUnixNano - takenUnixNano;
  if (header.traceparent === '') return;
  telemetry.tracer.recordSpan(SPANS.propagate, header.traceparent, takenUnixNano, measuredTimeUnixNano, {
    stream: mark,
    attributes: {
      [ATTRIBUTES.link]: header.linkId,
      [ATTRIBUTES.sequence]: Number(header.sequence),
      [ATTRIBUTES.channelUses]: frame.channelUses,
      [ATTRIBUTES.channelModel]: passage.model,
      [ATTRIBUTES.snrDb]: passage.snrDb,
    },
  });
}

/** Answers a frame with what was wrong. */
function fail(
  { telemetry }: EmulatorParts,
  frame: SymbolFrame,
  stream: FrameStream,
  mark: StreamMark,
  takenUnixNano: bigint,
  error: unknown,
): void {
  const header = frame.header!;
  const known = toSemlinkError(error);
  if (header.traceparent !== '') {
    const attributes = { [ATTRIBUTES.link]: header.linkId, [ATTRIBUTES.errorCode]: known.code };
    telemetry.tracer.recordSpan(SPANS.propagate, header.traceparent, takenUnixNano, nowUnixNano(), {
      stream: mark,
      attributes,
      error: known.message,
    });
  }
  stream.fail(frame, known);
}

/** A frame that failed after the air has cost the air all the same: says so where the answer does not. */
function withPassage(result: FrameResult, frame: SymbolFrame): FrameResult {
  if (result.outcome.case !== 'error' || result.channelUses > 0 || !frame.channel) return result;
  result.channelUses = frame.channelUses;
  result.payloadBytes = frame.iq.length;
  result.snrDb = frame.channel.snrDb;
  result.channelModel = frame.channel.model;
  result.timings ??= frame.timings;
  return result;
}
