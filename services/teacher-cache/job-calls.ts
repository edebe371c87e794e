import type { Metadata } from '@grpc/grpc-js';
import { SpanKind } from '@opentelemetry/api';
import { ATTRIBUTES, JobSpan, parseTraceparent, SPANS, TRACEPARENT_KEY } from '../../shared/telemetry/index.js';
import { ROLE } from './role.js';

/**
 * Does what a call asks for, in a span under that of the job which made the call. Calls that belong to none are not traced:
 * single reads would be many and tell little.
 */
export function forJob<T>(metadata: Metadata, rpc: string, work: (span?: JobSpan) => Promise<T>): Promise<T> {
  const parent = String(metadata.get(TRACEPARENT_KEY)[0] ?? '');
  if (!parseTraceparent(parent)) return work();
  const span = JobSpan.start(ROLE, SPANS.knowledgeCall, { [ATTRIBUTES.rpc]: rpc }, parent, SpanKind.SERVER);
  return span.around(() => work(span));
}
