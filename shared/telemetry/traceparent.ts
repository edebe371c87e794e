import { type SpanContext, TraceFlags } from '@opentelemetry/api';

const FORM = /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a W3C traceparent from a frame. Undefined when it is empty, malformed or not sampled: telemetry of a peer must
 * never be a reason to refuse its frame.
 */
export function parseTraceparent(text: string): SpanContext | undefined {
  const context = readTraceparent(text);
  return context && isSampledContext(context) ? context : undefined;
}

/** Reads a W3C traceparent, sampled or not; undefined when it is empty or malformed. */
export function readTraceparent(text: string): SpanContext | undefined {
  if (text === '') return undefined;
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, version = '', traceId = '', spanId = '', flags = '', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
}

/** Whether the one who gave the context had its span sampled. */
export function isSampledContext({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** Writes the traceparent of a span, to go into a frame. */
export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
