import type { LabelsOf, MetricKey } from '../../../shared/telemetry/instruments.js';
import { METRICS, type PROCESS_METRICS, WORKER_METRICS } from '../../../shared/telemetry/names.js';

type Key = keyof typeof METRICS;

/** Labels that a scrape gives to every series; `worker` where a service runs as several. */
export type TargetLabel = 'job' | 'instance' | 'namespace' | 'worker';

/** Matchers by label, each with its operator: `{ link: '=~"$link"' }`. */
export type Matchers<K extends Key> = Partial<Record<LabelsOf<K> | TargetLabel, string>>;

/** Labels to keep; `le` is added where a histogram needs it. */
export type Labels<K extends Key> = readonly (LabelsOf<K> | TargetLabel)[];

type ProcessMetric = (typeof PROCESS_METRICS)[number];
/** Series of the process's metrics; a histogram is asked for its sum. */
type ProcessSeries = ProcessMetric extends infer M
  ? M extends { name: infer Name extends string; type: 'histogram' }
    ? `${Name}_sum`
    : M extends { name: infer Name extends string }
      ? Name
      : never
  : never;

/** What the process itself reports. */
export const RUNTIME = {
  cpu: 'process_cpu_seconds_total',
  memory: 'process_resident_memory_bytes',
  started: 'process_start_time_seconds',
  files: 'process_open_fds',
  heap: 'nodejs_heap_size_used_bytes',
  external: 'nodejs_external_memory_bytes',
  lagMedian: 'nodejs_eventloop_lag_p50_seconds',
  lag99: 'nodejs_eventloop_lag_p99_seconds',
  garbage: 'nodejs_gc_duration_seconds_sum',
} as const satisfies Record<string, ProcessSeries>;

/** Names of the recorded series, prometheus/rules. */
export const RECORDED = {
  accuracy1m: 'semlink:accuracy:ratio_rate1m',
  accuracy5m: 'semlink:accuracy:ratio_rate5m',
  accuracyAll5m: 'semlink:accuracy_all:ratio_rate5m',
  accuracyAll1h: 'semlink:accuracy_all:ratio_rate1h',
  accuracyBySnr: 'semlink:accuracy_by_snr:ratio_rate5m',
  accuracyByModel: 'semlink:accuracy_by_model:ratio_increase15m',
  confidenceByModel: 'semlink:confidence_by_model:mean_rate15m',
  answersByModel: 'semlink:answers_by_model:ratio_rate15m',
  confidence: 'semlink:confidence:mean_rate5m',
  disagreement: 'semlink:disagreement:ratio_rate5m',
  latency: 'semlink:end_to_end_latency_seconds:quantile_rate5m',
  stageMean: 'semlink:stage_seconds:mean_rate5m',
  networkMean: 'semlink:network_seconds:mean_rate5m',
  feedbackAge: 'semlink:feedback_age_seconds:quantile_rate5m',
  staleDecisions: 'semlink:stale_decisions:ratio_rate5m',
  images1m: 'semlink:images:rate1m',
  errors: 'semlink:errors:ratio_rate5m',
  airLoss: 'semlink:air_loss:ratio_rate5m',
  queue: 'semlink:queue:ratio',
  batchSize: 'semlink:batch_size:mean_rate5m',
  channelUses: 'semlink:channel_uses_per_image:mean_rate5m',
  channelUsesPerRight: 'semlink:channel_uses_per_right_answer:mean_rate5m',
  semanticBits: 'semlink:semantic_bits_per_image:mean_rate5m',
  payloadBytes: 'semlink:payload_bytes_per_image:mean_rate5m',
  cpuPerImage: 'semlink:cpu_seconds_per_image:rate5m',
  knowledgeHits: 'semlink:knowledge_hits:ratio_rate5m',
  trainingImages: 'semlink:training_images:rate1m',
  teachingViews: 'semlink:teaching_views:rate1m',
  wantedAccuracy: 'semlink:objective_accuracy:ratio',
  wantedLatency: 'semlink:objective_latency:seconds',
  wantedErrors: 'semlink:objective_errors:ratio',
  wantedQueue: 'semlink:objective_queue:ratio',
  wantedLag: 'semlink:objective_event_loop_lag:seconds',
} as const;

/** Matches the namespaces chosen on the dashboard; series without the label too when all are. */
const IN_NAMESPACE = 'namespace=~"$namespace"';
/** How far back a rate looks; Grafana fits it to the scrape interval. */
const RANGE = '[$__rate_interval]';

/** The series of one metric. */
export function series<K extends Key>(metric: K, where: Matchers<K> = {}): string {
  return `${METRICS[metric].name}${braces(where)}`;
}

/** Series about the workers of a service that runs as several. */
export const WORKERS = { up: WORKER_METRICS.up.name, restarts: WORKER_METRICS.restarts.name } as const;

/** A recorded series or one of the runtime, in the namespaces chosen. */
export function plain(name: string, where: Partial<Record<string, string>> = {}): string {
  return `${name}${braces(where)}`;
}

/** Change a second of a counter, summed but for some labels. */
export function rate<K extends MetricKey<'counter'>>(metric: K, by: Labels<K> = [], where: Matchers<K> = {}): string {
  return `sum by (${by.join(', ')}) (rate(${series(metric, where)}${RANGE}))`;
}

/** Growth of a counter over the time shown, summed but for some labels. */
export function increase<K extends MetricKey<'counter'>>(
  metric: K,
  by: Labels<K> = [],
  where: Matchers<K> = {},
): string {
  return `sum by (${by.join(', ')}) (increase(${series(metric, where)}[$__range]))`;
}

/** A quantile of a histogram, from its buckets. */
export function quantile<K extends MetricKey<'histogram'>>(
  q: number,
  metric: K,
  by: Labels<K> = [],
  where: Matchers<K> = {},
): string {
  return `histogram_quantile(${q}, ${buckets(metric, by, where)})`;
}

/** The buckets of a histogram, a second. */
export function buckets<K extends MetricKey<'histogram'>>(
  metric: K,
  by: Labels<K> = [],
  where: Matchers<K> = {},
): string {
  return `sum by (${[...by, 'le'].join(', ')}) (rate(${METRICS[metric].name}_bucket${braces(where)}${RANGE}))`;
}

/** The mean of a histogram. */
export function mean<K extends MetricKey<'histogram'>>(metric: K, by: Labels<K> = [], where: Matchers<K> = {}): string {
  const part = (suffix: string) =>
    `sum by (${by.join(', ')}) (rate(${METRICS[metric].name}_${suffix}${braces(where)}${RANGE}))`;
  return `${part('sum')} / (${part('count')} > 0)`;
}

function braces(where: Partial<Record<string, string>>): string {
  const matchers = Object.entries(where).map(([label, matcher]) => `${label}${matcher}`);
  return `{${[IN_NAMESPACE, ...matchers].join(', ')}}`;
}
