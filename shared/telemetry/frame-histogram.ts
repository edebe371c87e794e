import type { Metric, MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client';
import type { MetricDefinition } from './names.js';
import { escapedHelp, lineStart, type SelfRendering, writtenValue } from './sample-text.js';
import { parseTraceparent } from './traceparent.js';

type ScrapedHistogram = Omit<MetricObjectWithValues<MetricValueWithName<string>>, 'collect'>;

/** The observations of one set of label values. */
export interface HistogramSeries {
  /** @param traceparent of the frame, '' where it is not sampled: the bucket's exemplar from then on */
  observe(value: number, traceparent?: string): void;
}

/** The last sampled frame of a bucket. */
interface Exemplar {
  readonly traceparent: string;
  readonly value: number;
  /** Seconds since the Unix epoch. */
  readonly at: number;
}

/**
 * A histogram that is observed once a frame. prom-client's own looks its labels up and checks them at every observation,
 * about 0.3 us each; here a series is looked up once and an observation is a search and three additions. What a scrape
 * shows is the same, to the letter.
 */
export class FrameHistogram implements SelfRendering {
  // What a registry of prom-client wants of a metric.
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #buckets: Float64Array;
  readonly #series: { labels: Readonly<Record<string, string>>; series: Series }[] = [];

  /** @param definition a histogram of names.ts, its buckets rising */
  constructor(registry: Registry, { name, help, labels, buckets }: MetricDefinition) {
    this.name = name;
    this.help = help;
    this.#buckets = Float64Array.from(buckets ?? []);
    if (labels.length === 0) this.labels({});
    // The type lists prom-client's own classes; the registry calls name and get.
    registry.registerMetric(this as unknown as Metric);
  }

  /** The series of these label values; the same every time. */
  labels(labels: Readonly<Record<string, string>>): HistogramSeries {
    const key = JSON.stringify(labels);
    const known = this.#series.find((one) => JSON.stringify(one.labels) === key);
    if (known) return known.series;
    const series = new Series(this.name, labels, this.#buckets);
    this.#series.push({ labels, series });
    return series;
  }

  render(openMetrics: boolean): string {
    let text = `# HELP ${this.name} ${escapedHelp(this.help)}\n# TYPE ${this.name} histogram`;
    for (const { labels, series } of this.#series) {
      if (series.count > 0 || Object.keys(labels).length === 0) text += series.render(openMetrics);
    }
    return text;
  }

  /** What prom-client's registry asks for who asks it: of each series that was observed buckets, sum and count. */
  async get(): Promise<ScrapedHistogram> {
    const { name, help, aggregator } = this;
    const values: MetricValueWithName<string>[] = [];
    for (const { labels, series } of this.#series) {
      if (series.count === 0 && Object.keys(labels).length > 0) continue;
      let below = 0;
      const bucket = (le: number | string, value: number, at: number) => {
        const exemplar = exemplarOf(series.exemplars?.[at]);
        const sample = { labels: { le, ...labels }, value, metricName: `${name}_bucket` };
        // Known to the registry's OpenMetrics form, not to its type.
        values.push(exemplar ? Object.assign(sample, { exemplar }) : sample);
      };
      for (const [i, bound] of this.#buckets.entries()) {
        below += series.counts[i]!;
        bucket(bound, below, i);
      }
      bucket('+Inf', series.count, this.#buckets.length);
      values.push({ labels: { ...labels }, value: series.sum, metricName: `${name}_sum` });
      values.push({ labels: { ...labels }, value: series.count, metricName: `${name}_count` });
    }
    // A type of prom-client's that TypeScript knows only as an enum.
    const type = this.type as unknown as ScrapedHistogram['type'];
    return { name, help, type, aggregator, values };
  }

  reset(): void {
    for (const { series } of this.#series) series.reset();
  }
}

/** As prom-client writes it; frames of others may carry anything as their traceparent. */
function exemplarOf(exemplar: Exemplar | undefined) {
  const trace = exemplar && parseTraceparent(exemplar.traceparent);
  if (!trace) return undefined;
  return { labelSet: { trace_id: trace.traceId }, value: exemplar.value, timestamp: exemplar.at };
}

class Series implements HistogramSeries {
  /** Of each bucket alone; beyond the last bound only `count` tells. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;
  /** By bucket, the last one beyond all bounds; undefined until a frame is sampled. */
  exemplars: (Exemplar | undefined)[] | undefined;
  readonly #bounds: Float64Array;
  /** What comes before the value in each bucket's line, that beyond all bounds last. */
  readonly #bucketLines: readonly string[];
  readonly #sumLine: string;
  readonly #countLine: string;

  constructor(name: string, labels: Readonly<Record<string, string>>, bounds: Float64Array) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length);
    const upTo = [...[...bounds].map(String), '+Inf'];
    this.#bucketLines = upTo.map((le) => lineStart(`${name}_bucket`, { le, ...labels }));
    this.#sumLine = lineStart(`${name}_sum`, labels);
    this.#countLine = lineStart(`${name}_count`, labels);
  }

  render(openMetrics: boolean): string {
    let text = '';
    let below = 0;
    for (const [i, line] of this.#bucketLines.entries()) {
      below = i < this.counts.length ? below + this.counts[i]! : this.count;
      text += `\n${line}${below}`;
      if (!openMetrics) continue;
      const exemplar = exemplarOf(this.exemplars?.[i]);
      if (!exemplar) continue;
      text += ` # {trace_id="${exemplar.labelSet.trace_id}"} ${writtenValue(exemplar.value)} ${exemplar.timestamp}`;
    }
    return `${text}\n${this.#sumLine}${writtenValue(this.sum)}\n${this.#countLine}${this.count}`;
  }

  /** @throws TypeError when the value is not finite */
  observe(value: number, traceparent = ''): void {
    if (!Number.isFinite(value)) throw new TypeError(`a histogram takes finite numbers, not ${value}`);
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    if (bucket < bounds.length) this.counts[bucket]!++;
    this.sum += value;
    this.count++;
    if (traceparent !== '') this.#remember(bucket, traceparent, value);
  }

  #remember(bucket: number, traceparent: string, value: number): void {
    this.exemplars ??= [];
    this.exemplars[bucket] = { traceparent, value, at: Date.now() / 1e3 };
  }

  reset(): void {
    this.counts.fill(0);
    this.sum = 0;
    this.count = 0;
    this.exemplars = undefined;
  }
}
