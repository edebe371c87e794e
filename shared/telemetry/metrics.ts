import { type Counter, type Gauge, Registry } from 'prom-client';
import { semlinkVersion } from '../config/version.js';
import { AnswerMetrics, type MeasuredAnswer } from './answer-metrics.js';
import { BoundedLabels, LinkLabels } from './bounded-labels.js';
import { ChannelMetrics } from './channel-metrics.js';
import { ConsoleMetrics } from './console-metrics.js';
import { type BatchClosedBy, EngineMetrics } from './engine-metrics.js';
import { FrameHistogram, type HistogramSeries } from './frame-histogram.js';
import { makeCounter, makeGauge } from './instruments.js';
import { KnowledgeMetrics } from './knowledge-metrics.js';
import { MeaningMetrics } from './meaning-metrics.js';
import { DROPS, type Drop, type InstrumentedService, METRICS } from './names.js';
import { collectProcessMetrics } from './process-metrics.js';
import { type Series, SeriesMetric } from './series-metric.js';

export interface ServiceMetricsOptions {
  /** Links with label values of their own; later ones share `other`. Default 100. */
  readonly linkLimit?: number;
  /** Also CPU, memory, event-loop lag and garbage collection of the process. Default true. */
  readonly processMetrics?: boolean;
  /** false: frames cost nothing here, and only readiness and version are shown. Default true. */
  readonly enabled?: boolean;
}

// Values of k and of reasons come from the model and the policy; the bounds are for bugs, not for use.
const LENGTH_LIMIT = 32;
const REASON_LIMIT = 16;

/**
 * The metrics of one service instance, in a registry of its own: several services can live in one process. A service has
 * only the metrics that names.ts lists for it.
 */
export class ServiceMetrics {
  readonly service: InstrumentedService;
  /** What is served. */
  readonly registry: Registry;
  /** Whether anything is measured; what would cost something to work out is not worked out where it is not. */
  readonly enabled: boolean;
  readonly links: LinkLabels;
  readonly #answers: AnswerMetrics | undefined;
  readonly #receivedBytes: Counter | undefined;
  readonly #knowledge: KnowledgeMetrics | undefined;
  readonly #streams: Gauge<'side'>;
  readonly #queues = new Map<string, () => number>();
  readonly #rate: RateMetrics | undefined;
  readonly #engine: EngineMetrics | undefined;
  readonly #meaning: MeaningMetrics | undefined;
  readonly #dropped: Counter<'what'> | undefined;
  readonly #channel: ChannelMetrics | undefined;
  readonly #console: ConsoleMetrics | undefined;
  readonly #queueLimits: Gauge<'queue'> | undefined;
  #ready: () => boolean = () => false;
  #draining: () => boolean = () => false;

  constructor(service: InstrumentedService, options: ServiceMetricsOptions = {}) {
    const { linkLimit, processMetrics = true, enabled = true } = options;
    this.service = service;
    this.enabled = enabled;
    this.links = new LinkLabels(linkLimit);
    const shown = new Registry();
    const registry = enabled ? shown : new Registry();
    this.registry = shown;
    if (isServedBy(service, METRICS.frames.services)) {
      if (isServedBy(service, METRICS.confidence.services)) this.#meaning = new MeaningMetrics(registry, this.links);
      this.#answers = new AnswerMetrics(service, registry, this.links, this.#meaning);
      this.#dropped = makeCounter<'dropped'>(registry, METRICS.dropped);
      for (const what of Object.keys(DROPS)) this.#dropped.inc({ what }, 0);
      this.#receivedBytes = makeCounter<'receivedBytes'>(registry, METRICS.receivedBytes);
    }
    if (isServedBy(service, METRICS.knowledgeRecords.services)) this.#knowledge = new KnowledgeMetrics(registry);
    this.#streams = makeGauge<'streamsOpen'>(registry, METRICS.streamsOpen);
    for (const side of ['served', 'called'] as const) this.#streams.set({ side }, 0);
    makeGauge<'queueBytes'>(registry, METRICS.queueBytes, (gauge) => {
      for (const [queue, bytes] of this.#queues) gauge.set({ queue }, bytes());
    });
    if (isServedBy(service, METRICS.queueLimit.services)) {
      this.#queueLimits = makeGauge<'queueLimit'>(registry, METRICS.queueLimit);
    }
    makeGauge<'draining'>(registry, METRICS.draining, (gauge) => gauge.set(this.#draining() ? 1 : 0));
    makeGauge<'ready'>(shown, METRICS.ready, (gauge) => gauge.set(this.#ready() ? 1 : 0));
    makeGauge<'buildInfo'>(shown, METRICS.buildInfo).set({ service, version: semlinkVersion() }, 1);
    if (isServedBy(service, METRICS.rateDecisions.services)) this.#rate = new RateMetrics(registry);
    if (isServedBy(service, METRICS.batches.services)) this.#engine = new EngineMetrics(registry);
    if (isServedBy(service, METRICS.airTime.services)) this.#channel = new ChannelMetrics(registry, this.links);
    if (isServedBy(service, METRICS.consolePages.services)) this.#console = new ConsoleMetrics(registry);
    if (processMetrics && enabled) collectProcessMetrics(registry);
  }

  /**
   * Call once per batch of answers on their way to the source: outcome, accuracy, latency, stages, k, SNR, payload.
   *
   * @param nowUnixNano nanoseconds since the Unix epoch
   */
  observeAnswers(answers: Iterable<MeasuredAnswer>, nowUnixNano: bigint): void {
    const metrics = this.#answers ?? this.#refuse(METRICS.frames.name);
    if (this.enabled) metrics.observe(answers, nowUnixNano);
  }

  /** Bytes of pixels or symbols in frames received. */
  addReceivedBytes(bytes: number): void {
    const counter = this.#receivedBytes ?? this.#refuse(METRICS.receivedBytes.name);
    if (this.enabled) counter.inc(bytes);
  }

  /**
   * One frame's rate decision (transmitter only).
   *
   * @param channelUses k chosen
   * @param reason one of the rate controller's fixed words
   * @param feedbackAgeSeconds age of the channel state relied on; undefined: there was none
   */
  observeRateDecision(linkId: string, channelUses: number, reason: string, feedbackAgeSeconds?: number): void {
    const rate = this.#rate ?? this.#refuse(METRICS.rateDecisions.name);
    if (!this.enabled) return;
    const link = this.links.fold(linkId);
    const found = rate.series.get(link)?.get(channelUses)?.get(reason);
    (found ?? rate.add(link, channelUses, reason)).value++;
    if (feedbackAgeSeconds !== undefined) rate.feedbackAge.observe(Math.max(0, feedbackAgeSeconds));
  }

  /** What stored knowledge is used for (teacher-cache only). */
  get knowledge(): KnowledgeMetrics {
    return this.#knowledge ?? this.#refuse(METRICS.knowledgeRecords.name);
  }

  /** How the engine works (transmitter and receiver). */
  get engine(): EngineMetrics {
    return this.#engine ?? this.#refuse(METRICS.batches.name);
  }

  /** One batch handed to the engine (transmitter and receiver). */
  observeBatch(frames: number, closedBy: BatchClosedBy): void {
    const { engine } = this;
    if (this.enabled) engine.observeBatch(frames, closedBy);
  }

  /** Whether meaning arrives (receiver only). */
  get meaning(): MeaningMetrics {
    return this.#meaning ?? this.#refuse(METRICS.confidence.name);
  }

  /** Something was given up without any frame being without its answer. */
  countDropped(what: Drop): void {
    (this.#dropped ?? this.#refuse(METRICS.dropped.name)).inc({ what });
  }

  /** What a channel-emulator measures of its links. */
  get channel(): ChannelMetrics {
    return this.#channel ?? this.#refuse(METRICS.airTime.name);
  }

  /** What a console measures of its pages. */
  get console(): ConsoleMetrics {
    return this.#console ?? this.#refuse(METRICS.consolePages.name);
  }

  /**
   * Measures a queue at every scrape from now on. Replaces an earlier queue of this name.
   *
   * @param limitBytes what it holds at most, where that is one number
   */
  trackQueue(queue: string, bytes: () => number, limitBytes?: number): void {
    this.#queues.set(queue, bytes);
    if (limitBytes !== undefined)
      (this.#queueLimits ?? this.#refuse(METRICS.queueLimit.name)).set({ queue }, limitBytes);
  }

  /** Says at every scrape whether the service has been told to stop. */
  trackDraining(draining: () => boolean): void {
    this.#draining = draining;
  }

  /** Says at every scrape whether the service takes frames. */
  trackReady(ready: () => boolean): void {
    this.#ready = ready;
  }

  /**
   * Counts a stream as open until the returned function is called; calling it again does nothing.
   *
   * @param side served: from the previous hop; called: to the next one
   */
  streamOpened(side: 'served' | 'called'): () => void {
    this.#streams.inc({ side });
    let open = true;
    return () => {
      if (open) this.#streams.dec({ side });
      open = false;
    };
  }

  #refuse(name: string): never {
    throw new Error(`${name} is not a metric of ${this.service}; names.ts lists who serves what`);
  }
}

/** Rate decisions and the age of what they relied on. */
class RateMetrics {
  readonly feedbackAge: HistogramSeries;
  /** By link, k and reason: looked up once a frame, so nothing is put together for it. */
  readonly series = new Map<string, Map<number, Map<string, Series>>>();
  readonly #decisions: SeriesMetric;
  readonly #lengths = new BoundedLabels(LENGTH_LIMIT);
  readonly #reasons = new BoundedLabels(REASON_LIMIT);

  constructor(registry: Registry) {
    this.#decisions = new SeriesMetric(registry, METRICS.rateDecisions);
    this.feedbackAge = new FrameHistogram(registry, METRICS.feedbackAge).labels({});
  }

  add(link: string, channelUses: number, reason: string): Series {
    const k = this.#lengths.fold(String(channelUses));
    const series = this.#decisions.of({ link, k, reason: this.#reasons.fold(reason) });
    const byLength = this.series.get(link) ?? new Map<number, Map<string, Series>>();
    const byReason = byLength.get(channelUses) ?? new Map<string, Series>();
    // What is folded stays out: its values are without bound.
    if (k === String(channelUses)) {
      this.series.set(link, byLength.set(channelUses, byReason.set(reason, series)));
    }
    return series;
  }
}

function isServedBy(service: InstrumentedService, services: readonly InstrumentedService[]): boolean {
  return services.includes(service);
}
