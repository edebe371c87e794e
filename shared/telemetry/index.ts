export { BoundedLabels, DEFAULT_LINK_LIMIT, LinkLabels } from './bounded-labels.js';
export { nowUnixNano } from './clock.js';
export type { BatchClosedBy } from './engine-metrics.js';
export type { Exposition } from './exposition.js';
export {
  jobTelemetryFields,
  logFormatOption,
  logLevelOption,
  serviceTraceFields,
  telemetryFields,
  traceGroup,
} from './fields.js';
export { FrameFailures, type FrameFailuresOptions } from './frame-failures.js';
export { type FrameIdentity, frameTraceId } from './frame-identity.js';
export { FrameSampler } from './frame-sampler.js';
export {
  type FrameRoot,
  type FrameTrace,
  FrameTracer,
  type SpanDetails,
  type StreamMark,
} from './frame-tracer.js';
export { type GpuReading, GpuWatch, gpuIsVisible } from './gpu-watch.js';
export { type Readiness, startTelemetryServer, type TelemetryServer } from './http.js';
export { type JobTelemetry, startJobTelemetry, TeachingMetrics, TrainingMetrics } from './job-metrics.js';
export { JobSpan, TRACEPARENT_KEY } from './job-tracer.js';
export type { KnowledgeMetrics } from './knowledge-metrics.js';
export type { LimitedLog } from './limited-log.js';
export {
  createLogger,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFields,
  type LogFormat,
  type Logger,
  type LogLevel,
  type LogStream,
} from './logger.js';
export { ServiceMetrics, type ServiceMetricsOptions } from './metrics.js';
export {
  ALL_SERVICES,
  ATTRIBUTES,
  CODE_NAMES,
  DROPS,
  type Drop,
  ERROR_CAUSES,
  type ErrorCause,
  type InstrumentedService,
  JOBS,
  type JobName,
  LENGTHS,
  LOG_FIELDS,
  METRICS,
  type MetricDefinition,
  OTHER,
  PROCESS_METRICS,
  SERVICES,
  type ServiceName,
  SNR_STEPS,
  SPANS,
  type SpanName,
  STAGES,
  type Stage,
  WORKER_METRICS,
} from './names.js';
export { startTelemetry, type Telemetry, type TelemetryConfig } from './telemetry.js';
export { formatTraceparent, parseTraceparent } from './traceparent.js';
export { startTracing, type Tracing } from './tracing.js';
