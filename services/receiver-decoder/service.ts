import { create } from '@bufbuild/protobuf';
import type { EngineTimings, ServedModels } from '../../shared/codec/served-models.js';
import {
  type ChannelState,
  ChannelStateFeedbackSchema,
  ClassificationSchema,
  FrameResultSchema,
  StageTimingsSchema,
  type SymbolFrame,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import { ReceiveResponseSchema, ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import type { DrainList } from '../../shared/rpc/drain-list.js';
import { resultFields } from '../../shared/rpc/frame-result.js';
import { type FrameStream, serveFrameStream } from '../../shared/rpc/frame-stream-server.js';
import type { StreamLimits } from '../../shared/rpc/server-config.js';
import { ATTRIBUTES, nowUnixNano, SPANS, type StreamMark, type Telemetry } from '../../shared/telemetry/index.js';
import { measured, receivedFrom } from './frame.js';
import type { Decoded, DecodeJob } from './symbol-codec.js';

export const ROLE = 'receiver-decoder';

export interface ReceiverParts {
  models: ServedModels<DecodeJob, Decoded>;
  telemetry: Telemetry;
  drains: DrainList;
  stream: StreamLimits & { maxStreamAgeMs: number; ageDrainLimitMs: number };
}

/** Maps the stream of received symbols to the decoder and its answers back. */
export function receiverService(parts: ReceiverParts) {
  return implementService(ReceiverDecoderService, {
    receive: (call) => {
      const { telemetry } = parts;
      const mark = telemetry.tracer.markStream('Receive', nowUnixNano());
      const closed = telemetry.metrics.streamOpened('served');
      serveFrameStream(call, {
        origin: ROLE,
        framesOf: (request) => request.frames,
        toResponse: (response) => {
          telemetry.metrics.observeAnswers(response.results, nowUnixNano());
          return create(ReceiveResponseSchema, response);
        },
        bytesOf: (frame) => frame.iq.length,
        onFrames: (frames, stream) => {
          for (const frame of frames) takeFrame(parts, frame, stream, mark);
        },
        onEnd: closed,
        ...parts.stream,
        drains: parts.drains,
      });
    },
  });
}

/** Checks one frame and has it decoded. What is wrong with it becomes its answer. */
function takeFrame(parts: ReceiverParts, frame: SymbolFrame, stream: FrameStream, mark: StreamMark): void {
  const takenUnixNano = nowUnixNano();
  parts.telemetry.metrics.addReceivedBytes(frame.iq.length);
  try {
    const model = parts.models.get(frame.header!.modelVersion);
    const { manifest } = model;
    const { received, channel, state } = receivedFrom(frame, manifest.network.maxChannelUses);
    stream.feedback(
      create(ChannelStateFeedbackSchema, {
        linkId: frame.header!.linkId,
        channelModel: state.model,
        ...measured(state, channel, frame.channelUses),
        measuredTimeUnixNano: state.measuredTimeUnixNano,
        position: state.position,
      }),
    );
    const done: Parameters<typeof model.submit>[1] = (decoded, error) => {
      if (!decoded || error) {
        stream.fail(frame, error);
        return;
      }
      recordSpan(parts, frame, decoded.timings, takenUnixNano, mark);
      stream.answer(resultOf(frame, state, manifest.version, decoded));
    };
    model.submit({ received, channel }, done, { linkId: frame.header!.linkId, signal: stream.signal });
  } catch (error) {
    stream.fail(frame, error);
  }
}

function resultOf(
  frame: SymbolFrame,
  state: ChannelState,
  modelVersion: string,
  { result, timings }: { result: Decoded; timings: EngineTimings },
) {
  return create(FrameResultSchema, {
    ...resultFields(frame.header),
    outcome: {
      case: 'classification',
      value: create(ClassificationSchema, {
        label: result.label,
        confidence: result.confidence,
        probabilities: Array.from(result.probabilities),
      }),
    },
    channelUses: frame.channelUses,
    snrDb: state.snrDb,
    channelModel: state.model,
    modelVersion,
    timings: create(StageTimingsSchema, {
      encodeQueueNanos: frame.timings?.encodeQueueNanos ?? 0n,
      encodeNanos: frame.timings?.encodeNanos ?? 0n,
      channelNanos: frame.timings?.channelNanos ?? 0n,
      airNanos: frame.timings?.airNanos ?? 0n,
      airWaitNanos: frame.timings?.airWaitNanos ?? 0n,
      delayNanos: frame.timings?.delayNanos ?? 0n,
      decodeQueueNanos: BigInt(timings.queueNanos),
      decodeNanos: BigInt(timings.computeNanos),
    }),
    payloadBytes: frame.iq.length,
  });
}

function recordSpan(
  { telemetry }: ReceiverParts,
  { header, channelUses }: SymbolFrame,
  timings: EngineTimings,
  takenUnixNano: bigint,
  mark: StreamMark,
): void {
  if (!header?.traceparent) return;
  telemetry.tracer.recordSpan(SPANS.decode, header.traceparent, takenUnixNano, nowUnixNano(), {
    stream: mark,
    attributes: {
      [ATTRIBUTES.link]: header.linkId,
      [ATTRIBUTES.sequence]: Number(header.sequence),
      [ATTRIBUTES.channelUses]: channelUses,
      [ATTRIBUTES.batchSize]: timings.batchSize,
      [ATTRIBUTES.queueSeconds]: timings.queueNanos / 1e9,
    },
  });
}
