import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { semlinkVersion } from '../config/version.js';
import { ATTRIBUTES, type SpanName } from './names.js';
import { formatTraceparent, parseTraceparent } from './traceparent.js';

/** Key of the metadata by which a call tells the job it belongs to; its value is a W3C traceparent. */
export const TRACEPARENT_KEY = 'traceparent';

/**
 * A span of a job: the run as a whole, or a part of it. A job is one trace and, unlike a stream of frames, comes to an end,
 * so its spans are open while it goes on. Without tracing all of this does nothing.
 */
export class JobSpan {
  readonly #service: string;
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;

  private constructor(
    service: string,
    tracer: Tracer,
    name: SpanName,
    kind: SpanKind,
    attributes: Attributes,
    parent: Context,
  ) {
    this.#service = service;
    this.#tracer = tracer;
    const described = { [ATTRIBUTES.service]: service, ...attributes };
    this.#span = tracer.startSpan(name, { kind, attributes: described }, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  /**
   * Opens the span of a whole job; or, with the context of a caller, of what is done for a part of one.
   *
   * @param service written on every span
   * @param parent a W3C traceparent; of a job, what the environment says (TRACEPARENT), so that a job can be part of
   *   something larger
   */
  static start(
    service: string,
    name: SpanName,
    attributes: Attributes = {},
    parent = process.env.TRACEPARENT ?? '',
    kind: SpanKind = SpanKind.INTERNAL,
  ): JobSpan {
    const above = parseTraceparent(parent);
    const context = above ? trace.setSpanContext(ROOT_CONTEXT, above) : ROOT_CONTEXT;
    const tracer = trace.getTracer(`semlink.${service}`, semlinkVersion());
    return new JobSpan(service, tracer, name, kind, attributes, context);
  }

  /** For calls that are made for this part of the job; empty when nothing is recorded. */
  get traceparent(): string {
    return this.#span.isRecording() ? formatTraceparent(this.#span.spanContext()) : '';
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  /** Does a part of the job in a span of its own; what it throws marks the span as failed and is thrown on. */
  async during<T>(name: SpanName, attributes: Attributes, work: (span: JobSpan) => Promise<T>): Promise<T> {
    const span = new JobSpan(this.#service, this.#tracer, name, SpanKind.INTERNAL, attributes, this.#context);
    return span.around(() => work(span));
  }

  /** Ends the span when the work is done; what it throws marks it as failed and is thrown on. */
  async around<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      this.#span.end();
    }
  }
}
