import { create } from '@bufbuild/protobuf';
import type { EngineTimings, ServedModels } from '../../shared/codec/served-models.js';
import type { ChannelState, FrameResult, SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import { ReceiveResponseSchema, ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import type { DrainList } from '../../shared/rpc/drain-list.js';
import { errorResult, resultFields } from '../../shared/rpc/frame-result.js';
import { type FrameStream, serveFrameStream } from '../../shared/rpc/frame-stream-server.js';
import type { StreamLimits } from '../../shared/rpc/server-config.js';
import { ATTRIBUTES, nowUnixNano, SPANS, type StreamMark, type Telemetry } from '../../shared/telemetry/index.js';
import { measured, receivedFrom, semanticBits } from './frame.js';
import type { Recheck } from './recheck.js';
import type { Decoded, DecodeJob } from './symbol-codec.js';

export const ROLE = 'receiver-decoder';

export interface ReceiverParts {
  models: ServedModels<DecodeJob, Decoded>;
  telemetry: Telemetry;
  drains: DrainList;
  recheck: Recheck;
  stream: StreamLimits & { maxStreamAgeMs: number; ageDrainLimitMs: number };
}

/** Maps the stream of received symbols to the decoder and its answers back. */
export function receiverService(parts: ReceiverParts) {
  return implementService(ReceiverDecoderService, {
    receive: (call) => {
      const { telemetry } = parts;
      const mark = telemetry.tracer.markStream('Receive', nowUnixNano(), { [ATTRIBUTES.peer]: call.getPeer() });
      const closed = telemetry.metrics.streamOpened('served');
      serveFrameStream(call, {
        origin: ROLE,
        framesOf: (request) => request.frames,
        toResponse: (response) => {
          telemetry.metrics.observeAnswers(response.results, nowUnixNano());
          // Not create with them, which walks through all of them.
          return Object.assign(create(ReceiveResponseSchema), response);
        },
        bytesOf: (frame) => frame.iq.length,
        onFrames: (frames, stream) => {
          let bytes = 0;
          for (const { iq } of frames) bytes += iq.length;
          telemetry.metrics.addReceivedBytes(bytes);
          const taken = { stream, mark, unixNano: nowUnixNano() };
          for (const frame of frames) takeFrame(parts, frame, taken);
        },
        onRefused: (frame, answer) => traceFailure(parts, frame, answer, { mark, unixNano: nowUnixNano() }),
        onEnd: closed,
        ...parts.stream,
        drains: parts.drains,
      });
    },
  });
}

/** Where the frames of a message came from, and when. */
interface Taken {
  stream: FrameStream;
  mark: StreamMark;
  unixNano: bigint;
}

/** Checks one frame and has it decoded. What is wrong with it becomes its answer. */
function takeFrame(parts: ReceiverParts, frame: SymbolFrame, taken: Taken): void {
  const { stream } = taken;
  try {
    const model = parts.models.get(frame.header!.modelVersion);
    const { manifest } = model;
    const { received, channel, state } = receivedFrom(frame, manifest.network.maxChannelUses);
    const { linkId } = frame.header!;
    const { metrics } = parts.telemetry;
    if (metrics.enabled) metrics.meaning.observeBits(semanticBits(channel, frame.channelUses));
    const job = { received, channel };
    const { snrDb, instantaneousSnrDb } = measured(state, channel, frame.channelUses);
    stream.feedback({
      $typeName: 'semlink.v1.ChannelStateFeedback',
      linkId,
      channelModel: state.model,
      snrDb,
      instantaneousSnrDb,
      measuredTimeUnixNano: state.measuredTimeUnixNano,
      position: state.position,
    });
    const done: Parameters<typeof model.submit>[1] = (decoded, error) => {
      if (!decoded || error) {
        failFrame(parts, frame, taken, error);
        return;
      }
      recordSpan(parts, frame, decoded.timings, taken);
      stream.answer(resultOf(frame, state, manifest.version, decoded));
      parts.recheck.look(model, frame.header!, job, state.position, decoded.result.label);
    };
    model.submit(job, done, { linkId, signal: stream.signal });
  } catch (error) {
    failFrame(parts, frame, taken, error);
  }
}

/** Answers a frame that has failed. */
function failFrame(parts: ReceiverParts, frame: SymbolFrame, taken: Taken, error: unknown): void {
  const result = errorResult(frame.header, error, ROLE);
  traceFailure(parts, frame, result, taken, error);
  taken.stream.answer(result);
}

function traceFailure(
  { telemetry }: ReceiverParts,
  { header, channelUses }: SymbolFrame,
  { outcome }: FrameResult,
  { mark, unixNano }: Pick<Taken, 'mark' | 'unixNano'>,
  cause?: unknown,
): void {
  if (outcome.case !== 'error') return;
  const error = outcome.value;
  const traceId = telemetry.failures.note(header, error, cause);
  if (!header || !traceId) return;
  telemetry.tracer.recordSpan(SPANS.decode, telemetry.tracer.contextOf(header, traceId), unixNano, nowUnixNano(), {
    stream: mark,
    error: error.message,
    attributes: {
      [ATTRIBUTES.link]: header.linkId,
      [ATTRIBUTES.sequence]: Number(header.sequence),
      [ATTRIBUTES.channelUses]: channelUses,
      [ATTRIBUTES.errorCode]: error.code,
      [ATTRIBUTES.errorOrigin]: error.origin,
    },
  });
}

/** As literals: `create` takes several times as long, and this is done for every frame. */
function resultOf(
  { header, channelUses, iq, timings: before }: SymbolFrame,
  { snrDb, model }: ChannelState,
  modelVersion: string,
  { result, timings }: { result: Decoded; timings: EngineTimings },
): FrameResult {
  const probabilities: number[] = [];
  for (let i = 0; i < result.probabilities.length; i++) probabilities.push(result.probabilities[i]!);
  return {
    $typeName: 'semlink.v1.FrameResult',
    ...resultFields(header),
    outcome: {
      case: 'classification',
      value: {
        $typeName: 'semlink.v1.Classification',
        label: result.label,
        confidence: result.confidence,
        probabilities,
      },
    },
    channelUses,
    snrDb,
    channelModel: model,
    modelVersion,
    timings: {
      $typeName: 'semlink.v1.StageTimings',
      encodeQueueNanos: before?.encodeQueueNanos ?? 0n,
      encodeNanos: before?.encodeNanos ?? 0n,
      channelNanos: before?.channelNanos ?? 0n,
      decodeQueueNanos: BigInt(timings.queueNanos),
      decodeNanos: BigInt(timings.computeNanos),
      airNanos: before?.airNanos ?? 0n,
      airWaitNanos: before?.airWaitNanos ?? 0n,
      delayNanos: before?.delayNanos ?? 0n,
    },
    payloadBytes: iq.length,
  };
}

function recordSpan(
  { telemetry }: ReceiverParts,
  { header, channelUses }: SymbolFrame,
  timings: EngineTimings,
  taken: Taken,
): void {
  if (!header?.traceparent) return;
  telemetry.tracer.recordSpan(SPANS.decode, header.traceparent, taken.unixNano, nowUnixNano(), {
    stream: taken.mark,
    attributes: {
      [ATTRIBUTES.link]: header.linkId,
      [ATTRIBUTES.sequence]: Number(header.sequence),
      [ATTRIBUTES.channelUses]: channelUses,
      [ATTRIBUTES.batchSize]: timings.batchSize,
      [ATTRIBUTES.queueSeconds]: timings.queueNanos / 1e9,
    },
  });
}
