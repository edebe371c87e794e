import { FailureLog } from './failure-log.js';
import { FrameFailures } from './frame-failures.js';
import { FrameTracer } from './frame-tracer.js';
import { type Readiness, startTelemetryServer, type TelemetryServer } from './http.js';
import { LimitedLog } from './limited-log.js';
import { createLogger, type LogFormat, type Logger, type LogLevel } from './logger.js';
import { ServiceMetrics } from './metrics.js';
import type { InstrumentedService } from './names.js';
import { startTracing } from './tracing.js';

/** The part of a service's configuration that `telemetryFields` declares. */
export interface TelemetryConfig {
  readonly logLevel: LogLevel;
  readonly telemetry?: 'on' | 'off';
  readonly logFormat: LogFormat;
  readonly metrics: { readonly listen: string; readonly linkLimit: number };
  readonly trace: {
    readonly otlpEndpoint?: string | undefined;
    readonly failuresPerSecond: number;
    /** The first service's alone. */
    readonly sampleRatio?: number;
  };
}

/** Everything a service reports with, started together and stopped together. */
export interface Telemetry {
  readonly logger: Logger;
  /** The same, for lines that may come in great numbers. */
  readonly limited: LimitedLog;
  readonly metrics: ServiceMetrics;
  readonly tracer: FrameTracer;
  /** Told of every frame that has no result. */
  readonly failures: FrameFailures;
  /** Undefined when `metrics.listen` is off. */
  readonly server: TelemetryServer | undefined;
  /** Says from when on, and how, readiness is known; until then /readyz answers 503. */
  setReadiness(readiness: () => Readiness): void;
  /**
   * Last act of a drain: sends the last spans, stops serving metrics.
   *
   * @param limitMs milliseconds for the spans
   */
  stop(limitMs: number): Promise<void>;
}

/**
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when the metrics address cannot be listened on
 */
export async function startTelemetry(options: {
  readonly service: InstrumentedService;
  readonly config: TelemetryConfig;
  readonly logger?: Logger;
  readonly processMetrics?: boolean;
}): Promise<Telemetry> {
  const { service, config } = options;
  const logger = options.logger ?? createLogger({ service, level: config.logLevel, format: config.logFormat });
  const enabled = config.telemetry !== 'off';
  const metrics = new ServiceMetrics(service, {
    enabled,
    linkLimit: config.metrics.linkLimit,
    processMetrics: options.processMetrics ?? true,
  });
  let readiness = (): Readiness => ({ ready: false, reason: 'starting' });
  metrics.trackReady(() => readiness().ready);
  const server =
    config.metrics.listen === 'off'
      ? undefined
      : await startTelemetryServer({
          listen: config.metrics.listen,
          registry: metrics.registry,
          readiness: () => readiness(),
        });
  const tracing = await startTracing({
    serviceName: service,
    endpoint: enabled ? config.trace.otlpEndpoint : undefined,
    warn: (sentence) => logger.warn(sentence),
  });
  // The preload may have started it.
  if (!enabled) await tracing.stop(0);
  const limited = new LimitedLog(logger);
  return {
    logger,
    limited,
    metrics,
    server,
    tracer: new FrameTracer(service, { sampleRatio: tracing.enabled ? (config.trace.sampleRatio ?? 0) : 0 }),
    failures: new FrameFailures({
      service,
      traces: enabled && tracing.enabled,
      tracesPerSecond: config.trace.failuresPerSecond,
      log: new FailureLog(limited),
    }),
    setReadiness(next) {
      readiness = next;
    },
    async stop(limitMs) {
      limited.flush();
      await tracing.stop(limitMs);
      await server?.close();
    },
  };
}
