import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { semlinkVersion } from '../config/version.js';
import { type FrameIdentity, frameSpanId, frameTraceId } from './frame-identity.js';
import { FrameSampler } from './frame-sampler.js';
import { ATTRIBUTES, SPANS, type SpanName } from './names.js';
import { withIds } from './span-ids.js';
import { toHrTime } from './span-time.js';
import { formatTraceparent, isSampledContext, parseTraceparent, readTraceparent } from './traceparent.js';

/** The open root span of one frame; the client keeps it until the answer is in. */
export interface FrameRoot {
  /** For `FrameHeader.traceparent`. */
  readonly traceparent: string;
  /** @param outcome.error a sentence when the frame was answered by an error or not at all */
  end(outcome: { readonly endUnixNano: bigint; readonly attributes?: Attributes; readonly error?: string }): void;
}

/** Says which stream a frame travelled on. The mark is recorded when the first sampled frame asks for it. */
export interface StreamMark {
  readonly context: SpanContext;
}

export interface SpanDetails {
  readonly attributes?: Attributes;
  /** The stream that brought the frame. */
  readonly stream?: StreamMark | undefined;
  /** A sentence: marks the span as failed. */
  readonly error?: string | undefined;
}

/** What of a frame's header a trace of it needs. */
export interface TracedHeader extends FrameIdentity {
  readonly traceparent: string;
}

/** The place of a span that is recorded when it is over, but under which others are hung before. */
export interface FrameTrace {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined: it is the root. */
  readonly parentSpanId: string | undefined;
  /** Of the span itself: for `FrameHeader.traceparent` on the next hop, and for spans under it. */
  readonly traceparent: string;
}

export interface FrameTracerOptions {
  /** Share of frames that are traced where they start, 0 to 1. Default 0. */
  readonly sampleRatio?: number;
}

/**
 * Spans of frames. One sampled frame is one trace: whoever sees it first opens the root and puts its context into the
 * frame's header, every service adds short spans under it after the fact. A stream lives for hours and is never a span,
 * which is also why instrumentation of gRPC is not used: it makes one endless span a stream and knows nothing of frames.
 *
 * The ids of a trace follow from the frame's identity, so that a frame that was not sampled can still be traced when it
 * fails: every service works out the same ids from the answer as it passes (frame-failures.ts).
 */
export class FrameTracer {
  readonly #service: string;
  readonly #tracer: Tracer;
  readonly #sampler: FrameSampler;

  /** @param service written on every span, since services can share a process and its `service.name` */
  constructor(service: string, { sampleRatio = 0 }: FrameTracerOptions = {}) {
    this.#service = service;
    this.#sampler = new FrameSampler(sampleRatio);
    this.#tracer = trace.getTracer(`semlink.${service}`, semlinkVersion());
  }

  /** Whether a frame is sampled: a hash of link and sequence, so the same frames are in every run. */
  isSampled(linkId: string, sequence: bigint): boolean {
    return this.#sampler.takes(linkId, sequence);
  }

  /**
   * Opens the root span of a frame at its capture, or returns undefined when the frame is not sampled or tracing is off:
   * then the header's traceparent stays empty.
   */
  startRoot(frame: FrameIdentity, attributes?: Attributes): FrameRoot | undefined {
    return this.isSampled(frame.linkId, frame.sequence)
      ? this.#openRoot(frame, frameTraceId(frame), attributes)
      : undefined;
  }

  /**
   * Records the root span of a frame that was not sampled and has failed.
   *
   * @param traceId of the frame's error
   */
  recordFailedRoot(frame: FrameIdentity, traceId: string, outcome: Parameters<FrameRoot['end']>[0]): void {
    this.#openRoot(frame, traceId)?.end(outcome);
  }

  /**
   * For the first service: the place of its span around everything that happens to a frame, when the frame is sampled;
   * by the client, which sends a context then, or here, where it does not trace. Nearly free for the others.
   *
   * @param clientTraces the client records roots by itself and has decided
   */
  enter(frame: TracedHeader, clientTraces: boolean): FrameTrace | undefined {
    if (frame.traceparent === '') {
      if (clientTraces || !this.isSampled(frame.linkId, frame.sequence)) return undefined;
      return placeOf(frame, frameTraceId(frame), undefined);
    }
    const parent = parseTraceparent(frame.traceparent);
    return parent && placeOf(frame, parent.traceId, parent.spanId);
  }

  /** The place that `enter` would have given a frame that was not sampled and has failed. */
  enterAfterwards(frame: TracedHeader, traceId: string, clientTraces: boolean): FrameTrace {
    const parent = readTraceparent(frame.traceparent)?.spanId;
    return placeOf(frame, traceId, parent ?? (clientTraces ? frameSpanId(traceId, frame, 'send') : undefined));
  }

  /**
   * The context under which a service beyond the first records its span: what the frame carries, or for one that was not
   * sampled and has failed, the place of the first service's span.
   */
  contextOf(frame: TracedHeader, traceId: string): string {
    const carried = readTraceparent(frame.traceparent);
    if (carried && isSampledContext(carried)) return frame.traceparent;
    return placeOf(frame, traceId, undefined).traceparent;
  }

  /** Records the span whose place `enter` gave, when it is over. */
  record(
    name: SpanName,
    { traceId, spanId, parentSpanId }: FrameTrace,
    startUnixNano: bigint,
    endUnixNano: bigint,
    details: SpanDetails = {},
  ): void {
    const parent = parentSpanId && { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
    const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const span = withIds({ traceId, spanId }, () =>
      this.#start(name, SpanKind.SERVER, startUnixNano, context, details.attributes),
    );
    if (span.isRecording()) finish(span, endUnixNano, details);
  }

  /**
   * Records a span that is over, under the context that the frame carries. Free when the frame carries none.
   *
   * @param traceparent `FrameHeader.traceparent`, or what an earlier call returned for a span further down
   * @param startUnixNano nanoseconds since the Unix epoch
   * @param endUnixNano nanoseconds since the Unix epoch
   * @returns the new span's traceparent; the given one when nothing was recorded
   */
  recordSpan(
    name: SpanName,
    traceparent: string,
    startUnixNano: bigint,
    endUnixNano: bigint,
    details: SpanDetails = {},
  ): string {
    const parent = parseTraceparent(traceparent);
    if (!parent) return traceparent;
    const context = trace.setSpanContext(ROOT_CONTEXT, parent);
    const span = this.#start(name, SpanKind.INTERNAL, startUnixNano, context, details.attributes);
    if (!span.isRecording()) return traceparent;
    finish(span, endUnixNano, details);
    return formatTraceparent(span.spanContext());
  }

  /**
   * Gives a stream a context that its frames can link to: a zero-length span in a trace of its own, recorded only once
   * a sampled frame needs it.
   *
   * @param rpc method of the stream, for example `Propagate`
   * @param openedUnixNano nanoseconds since the Unix epoch
   */
  markStream(rpc: string, openedUnixNano: bigint, attributes?: Attributes): StreamMark {
    const record = (): SpanContext => {
      const described = { [ATTRIBUTES.rpc]: rpc, ...attributes };
      const span = this.#start(SPANS.stream, SpanKind.SERVER, openedUnixNano, ROOT_CONTEXT, described);
      span.end(toHrTime(openedUnixNano));
      return span.spanContext();
    };
    let context: SpanContext | undefined;
    return {
      get context() {
        context ??= record();
        return context;
      },
    };
  }

  #openRoot(frame: FrameIdentity, traceId: string, attributes?: Attributes): FrameRoot | undefined {
    const described = {
      [ATTRIBUTES.link]: frame.linkId,
      [ATTRIBUTES.sequence]: Number(frame.sequence),
      ...attributes,
    };
    const span = withIds({ traceId, spanId: frameSpanId(traceId, frame, 'send') }, () =>
      this.#start(SPANS.send, SpanKind.CLIENT, frame.captureTimeUnixNano, ROOT_CONTEXT, described),
    );
    if (!span.isRecording()) return undefined;
    return {
      traceparent: formatTraceparent(span.spanContext()),
      end({ endUnixNano, ...details }) {
        if (details.attributes) span.setAttributes(details.attributes);
        finish(span, endUnixNano, details);
      },
    };
  }

  #start(name: SpanName, kind: SpanKind, startUnixNano: bigint, context: Context, attributes?: Attributes): Span {
    const options: SpanOptions = {
      kind,
      startTime: toHrTime(startUnixNano),
      attributes: { [ATTRIBUTES.service]: this.#service, ...attributes },
    };
    return this.#tracer.startSpan(name, options, context);
  }
}

function placeOf(frame: FrameIdentity, traceId: string, parentSpanId: string | undefined): FrameTrace {
  const spanId = frameSpanId(traceId, frame, 'transmit');
  const traceparent = formatTraceparent({ traceId, spanId, traceFlags: TraceFlags.SAMPLED });
  return { traceId, spanId, parentSpanId, traceparent };
}

function finish(span: Span, endUnixNano: bigint, { stream, error }: SpanDetails): void {
  if (stream) span.addLink({ context: stream.context });
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
  span.end(toHrTime(endUnixNano));
}
