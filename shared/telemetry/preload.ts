/**
 * `node --import ./dist/shared/telemetry/preload.js dist/services/<name>/main.js`: starts tracing before anything else
 * is loaded, when OTEL_EXPORTER_OTLP_ENDPOINT names a collector.
 *
 * Under ESM, OpenTelemetry's *instrumentations* see a module only through the loader hook
 * `@opentelemetry/instrumentation/hook.mjs`, registered before that module is imported. No hook is registered here
 * because no instrumentation is used: the one for gRPC makes one span a stream, which for our streams never ends, and
 * frames carry their trace context themselves (frame-tracer.ts). The hook would also slow every import. Whoever adds an
 * instrumentation must call `module.register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)` right here.
 */
import { basename, dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { ensureTracingSdk } from './tracing.js';

// Worker threads inherit --import; frames are traced on the main thread alone.
if (isMainThread) await ensureTracingSdk(process.env.SEMLINK_SERVICE_NAME || nameFromScript(process.argv[1] ?? ''));

// dist/services/transmitter-encoder/main.js is the transmitter-encoder; any other script goes by its own name.
function nameFromScript(script: string): string {
  const name = basename(script).replace(/\.[cm]?[jt]s$/, '');
  return (name === 'main' ? basename(dirname(script)) : name) || 'semlink';
}
