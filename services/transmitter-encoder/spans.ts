import type { RateDecision } from '../../shared/codec/rate-control.js';
import type { EngineTimings } from '../../shared/codec/served-models.js';
import type { FrameHeader, FrameResult, ImageFrame, SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  ATTRIBUTES,
  type FrameTrace,
  nowUnixNano,
  SPANS,
  type StreamMark,
  type Telemetry,
} from '../../shared/telemetry/index.js';

/** What the spans of a frame need to know of how it came. */
export interface Arrival {
  readonly mark: StreamMark;
  readonly unixNano: bigint;
  readonly clientTraces: boolean;
  /** Of a sampled frame. */
  readonly trace: FrameTrace | undefined;
}

/** The span of a sampled frame's encoding, just over. */
export function traceEncoding(
  { tracer }: Telemetry,
  encoding: { frame: ImageFrame; modelVersion: string; decision: RateDecision; taken: Arrival },
  trace: FrameTrace,
  timings: EngineTimings,
): void {
  const { frame, modelVersion, decision, taken } = encoding;
  tracer.recordSpan(SPANS.encode, trace.traceparent, taken.unixNano, nowUnixNano(), {
    attributes: {
      ...identityOf(frame.header!),
      [ATTRIBUTES.modelVersion]: modelVersion,
      [ATTRIBUTES.channelUses]: decision.channelUses,
      [ATTRIBUTES.rateReason]: decision.reason,
      [ATTRIBUTES.batchSize]: timings.batchSize,
      [ATTRIBUTES.queueSeconds]: timings.queueNanos / 1e9,
    },
  });
}

/**
 * The answer of a frame that is sampled or has failed passes on its way back: the span around all that happened to it, and
 * that of its encoding where it was not recorded at the time.
 *
 * @param symbols what was sent on, if it came to that
 * @param cause what was thrown, of a frame that failed here
 */
export function traceAnswer(
  { tracer, failures }: Telemetry,
  { outcome, channelUses, snrDb, modelVersion, payloadBytes }: FrameResult,
  header: FrameHeader | undefined,
  taken: Arrival,
  symbols?: SymbolFrame,
  cause?: unknown,
): void {
  const error = outcome.case === 'error' ? outcome.value : undefined;
  const traceId = error && failures.note(header, error, cause);
  if (!header) return;
  const trace = taken.trace ?? (traceId ? tracer.enterAfterwards(header, traceId, taken.clientTraces) : undefined);
  if (!trace) return;
  const identity = identityOf(header);
  tracer.record(SPANS.transmit, trace, taken.unixNano, nowUnixNano(), {
    stream: taken.mark,
    error: error?.message,
    attributes: {
      ...identity,
      [ATTRIBUTES.modelVersion]: modelVersion,
      [ATTRIBUTES.channelUses]: channelUses,
      [ATTRIBUTES.payloadBytes]: payloadBytes,
      ...(snrDb !== undefined && { [ATTRIBUTES.snrDb]: snrDb }),
      ...(outcome.case === 'classification' && { [ATTRIBUTES.label]: outcome.value.label }),
      ...(error && { [ATTRIBUTES.errorCode]: error.code, [ATTRIBUTES.errorOrigin]: error.origin }),
    },
  });
  if (taken.trace || !symbols?.timings) return;
  const { encodeQueueNanos, encodeNanos } = symbols.timings;
  tracer.recordSpan(SPANS.encode, trace.traceparent, taken.unixNano, taken.unixNano + encodeQueueNanos + encodeNanos, {
    attributes: {
      ...identity,
      [ATTRIBUTES.modelVersion]: symbols.header?.modelVersion ?? '',
      [ATTRIBUTES.channelUses]: symbols.channelUses,
      [ATTRIBUTES.queueSeconds]: Number(encodeQueueNanos) / 1e9,
    },
  });
}

function identityOf({ linkId, sequence }: FrameHeader) {
  return { [ATTRIBUTES.link]: linkId, [ATTRIBUTES.sequence]: Number(sequence) };
}
