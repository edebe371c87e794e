import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { semlinkVersion } from '../config/version.js';
import { ATTRIBUTES, SPANS, type SpanName } from './names.js';
import { formatTraceparent, parseTraceparent } from './traceparent.js';

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
  readonly stream?: StreamMark;
  /** A sentence: marks the span as failed. */
  readonly error?: string;
}

/**
 * Spans of frames. One sampled frame is one trace: the client opens the root and puts its context into the frame's
 * header, every service adds short spans under it after the fact. A stream lives for hours and is never a span, which
 * is also why instrumentation of gRPC is not used: it makes one endless span a stream and knows nothing of frames.
 */
export class FrameTracer {
  readonly #service: string;
  readonly #tracer: Tracer;
  readonly #threshold: number;

  /**
   * @param service written on every span, since services can share a process and its `service.name`
   * @param sampleRatio share of frames that get a root, 0 to 1; services that only continue traces need none
   */
  constructor(service: string, sampleRatio = 0) {
    if (!(sampleRatio >= 0 && sampleRatio <= 1)) {
      throw new RangeError(`the trace sample ratio must be from 0 to 1, not ${sampleRatio}`);
    }
    this.#service = service;
    this.#threshold = sampleRatio * 2 ** 32;
    this.#tracer = trace.getTracer(`semlink.${service}`, semlinkVersion());
  }

  /** Whether a frame is sampled: a hash of link and sequence, so the same frames are in every run. */
  isSampled(linkId: string, sequence: bigint): boolean {
    return this.#threshold > 0 && hashFrame(linkId, sequence) < this.#threshold;
  }

  /**
   * Opens the root span of a frame, or returns undefined when the frame is not sampled or tracing is off: then the
   * header's traceparent stays empty.
   */
  startRoot(
    frame: { readonly linkId: string; readonly sequence: bigint; readonly startUnixNano: bigint },
    attributes?: Attributes,
  ): FrameRoot | undefined {
    if (!this.isSampled(frame.linkId, frame.sequence)) return undefined;
    const span = this.#tracer.startSpan(
      SPANS.send,
      {
        kind: SpanKind.CLIENT,
        startTime: toHrTime(frame.startUnixNano),
        attributes: {
          [ATTRIBUTES.service]: this.#service,
          [ATTRIBUTES.link]: frame.linkId,
          [ATTRIBUTES.sequence]: Number(frame.sequence),
          ...attributes,
        },
      },
      ROOT_CONTEXT,
    );
    if (!span.isRecording()) return undefined;
    return {
      traceparent: formatTraceparent(span.spanContext()),
      end({ endUnixNano, attributes, error }) {
        if (attributes) span.setAttributes(attributes);
        finish(span, endUnixNano, error);
      },
    };
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
    { attributes, stream, error }: SpanDetails = {},
  ): string {
    const parent = parseTraceparent(traceparent);
    if (!parent) return traceparent;
    const span = this.#tracer.startSpan(
      name,
      {
        kind: SpanKind.INTERNAL,
        startTime: toHrTime(startUnixNano),
        attributes: { [ATTRIBUTES.service]: this.#service, ...attributes },
      },
      trace.setSpanContext(ROOT_CONTEXT, parent),
    );
    if (!span.isRecording()) return traceparent;
    if (stream) span.addLink({ context: stream.context });
    finish(span, endUnixNano, error);
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
      const span = this.#tracer.startSpan(
        SPANS.stream,
        {
          kind: SpanKind.SERVER,
          startTime: toHrTime(openedUnixNano),
          attributes: { [ATTRIBUTES.service]: this.#service, [ATTRIBUTES.rpc]: rpc, ...attributes },
        },
        ROOT_CONTEXT,
      );
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
}

function finish(span: Span, endUnixNano: bigint, error: string | undefined): void {
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
  span.end(toHrTime(endUnixNano));
}

// Seconds and nanoseconds: a double of either alone cannot hold today's date to the nanosecond.
function toHrTime(unixNano: bigint): [number, number] {
  return [Number(unixNano / 1_000_000_000n), Number(unixNano % 1_000_000_000n)];
}

// FNV-1a over the link's characters and the sequence, then the finalizer of MurmurHash3: without it the low sequence
// bits would hardly reach the high bits that are compared with the threshold.
export function hashFrame(linkId: string, sequence: bigint): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < linkId.length; i++) hash = Math.imul(hash ^ linkId.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ Number(BigInt.asUintN(32, sequence)), 0x01000193);
  hash = Math.imul(hash ^ Number(BigInt.asUintN(32, sequence >> 32n)), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
