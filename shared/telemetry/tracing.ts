import { randomUUID } from 'node:crypto';
import { type ContextManager, DiagLogLevel, diag, trace } from '@opentelemetry/api';
import { semlinkVersion } from '../config/version.js';
import { ChosenIds } from './span-ids.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The process's tracing. Several services of one process share it. */
export interface Tracing {
  readonly enabled: boolean;
  /**
   * Sends what is waiting and shuts down once the last holder has stopped.
   *
   * A request that still waits at the limit keeps the process alive for as long as the exporter's own time limit (10 s):
   * exit explicitly after a drain.
   *
   * @param limitMs milliseconds it may take at most; a collector that hangs must not hold up a drain
   * @returns whether everything was sent in time
   */
  stop(limitMs: number): Promise<boolean>;
}

interface Sdk {
  shutdown(): Promise<void>;
}

let sdk: Promise<Sdk | undefined> | undefined;
let holders = 0;
let sink = (sentence: string): void => {
  process.stderr.write(`semlink: ${sentence}\n`);
};

/** Tracing is on when a collector is named and nothing standard switches it off. */
export function tracingWanted(env: Environment): boolean {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  return Boolean(endpoint) && env.OTEL_SDK_DISABLED?.toLowerCase() !== 'true' && env.OTEL_TRACES_EXPORTER !== 'none';
}

/**
 * Starts the OpenTelemetry SDK unless it runs already or no collector is named; then nothing is even loaded. The
 * standard OTEL_ variables apply: protocol (http/protobuf, http/json or grpc), headers, batch sizes, resource attributes.
 *
 * @param serviceName `service.name`, unless OTEL_SERVICE_NAME says otherwise
 */
export async function ensureTracingSdk(serviceName: string, env: Environment = process.env): Promise<boolean> {
  if (!tracingWanted(env)) return false;
  sdk ??= startSdk(env.OTEL_SERVICE_NAME || serviceName, env);
  return (await sdk) !== undefined;
}

/**
 * Holds the process's tracing for one service; the preload may have started it already.
 *
 * @param options.endpoint collector from the configuration; it sets OTEL_EXPORTER_OTLP_ENDPOINT, which the SDK reads
 * @param options.warn gets a sentence when spans cannot be sent, at most one a minute
 */
export async function startTracing(options: {
  readonly serviceName: string;
  readonly endpoint?: string | undefined;
  readonly warn?: (sentence: string) => void;
}): Promise<Tracing> {
  if (options.endpoint) process.env.OTEL_EXPORTER_OTLP_ENDPOINT = options.endpoint;
  if (options.warn) sink = options.warn;
  const enabled = await ensureTracingSdk(options.serviceName);
  holders++;
  let stopped = false;
  return {
    enabled,
    async stop(limitMs) {
      if (stopped) return true;
      stopped = true;
      if (--holders > 0) return true;
      const running = sdk;
      sdk = undefined;
      const started = await running;
      if (!started) return true;
      const failure = await withinLimit(started.shutdown(), limitMs);
      trace.disable();
      if (failure !== undefined) sink(`The last spans were not sent to the collector: ${failure}.`);
      return failure === undefined;
    },
  };
}

async function startSdk(serviceName: string, env: Environment): Promise<Sdk | undefined> {
  const { NodeSDK, resources, tracing } = await import('@opentelemetry/sdk-node');
  const started = new NodeSDK({
    serviceName,
    resource: resources.defaultResource().merge(
      resources.resourceFromAttributes({
        'service.version': semlinkVersion(),
        'service.instance.id': randomUUID(),
      }),
    ),
    // Command lines and user names are nobody's business at the collector.
    resourceDetectors: [resources.envDetector, resources.hostDetector],
    // The trace of a frame has the id that the frame's identity implies.
    idGenerator: new ChosenIds(new tracing.RandomIdGenerator()),
    // Metrics are scraped and logs go to stderr.
    metricReaders: [],
    logRecordProcessors: [],
    // Frames carry their context themselves. A manager of contexts would make every promise and every message of gRPC
    // slower from the first export on, for nothing; null is allowed, though the type leaves it out.
    textMapPropagator: null,
    contextManager: null as unknown as ContextManager,
    instrumentations: [],
  });
  if (!env.OTEL_LOG_LEVEL) reportFailures(env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT);
  started.start();
  return started;
}

// A collector that is down fails every few seconds; one line a minute says as much.
function reportFailures(endpoint: string | undefined): void {
  let quietUntil = 0;
  const ignore = (): void => {};
  diag.setLogger(
    {
      error(message) {
        if (Date.now() < quietUntil) return;
        quietUntil = Date.now() + 60_000;
        sink(`Spans could not be sent to ${endpoint}: ${reasonOf(message)}. The link works without them.`);
      },
      warn: ignore,
      info: ignore,
      debug: ignore,
      verbose: ignore,
    },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
}

// The SDK hands exceptions over as JSON objects of their fields.
function reasonOf(message: string): string {
  try {
    const parsed = JSON.parse(message) as { message?: string; code?: string };
    return parsed.message || parsed.code || message;
  } catch {
    return message;
  }
}

/** Undefined when the work is done in time, else why not. */
async function withinLimit(work: Promise<void>, limitMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${limitMs} ms`), limitMs);
  });
  try {
    return await Promise.race([
      work.then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      ),
      limit,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
