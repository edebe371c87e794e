import type { Counter, Registry } from 'prom-client';
import type { FrameResult } from '../gen/semlink/v1/frame_pb.js';
import type { LinkLabels } from './bounded-labels.js';
import { FrameHistogram, type HistogramSeries } from './frame-histogram.js';
import { makeCounter } from './instruments.js';
import type { MeaningMetrics } from './meaning-metrics.js';
import { CODE_NAMES, ERROR_CAUSES, type InstrumentedService, METRICS, OTHER, SERVICES, STAGES } from './names.js';
import { type Series, SeriesMetric } from './series-metric.js';

/** The parts of a `FrameResult` that are measured. */
export type MeasuredAnswer = Pick<
  FrameResult,
  | 'linkId'
  | 'captureTimeUnixNano'
  | 'outcome'
  | 'channelUses'
  | 'snrDb'
  | 'timings'
  | 'trueLabel'
  | 'payloadBytes'
  | 'traceparent'
> &
  Partial<Pick<FrameResult, 'modelVersion'>>;

const ORIGINS: ReadonlySet<string> = new Set(SERVICES);

/** What the stages of a frame took together, seconds; the air is part of the channel. */
function stagesOf(timings: NonNullable<MeasuredAnswer['timings']>): number {
  const { encodeQueueNanos, encodeNanos, channelNanos, decodeQueueNanos, decodeNanos } = timings;
  return Number(encodeQueueNanos + encodeNanos + channelNanos + decodeQueueNanos + decodeNanos) / 1e9;
}

/** The series of one link. */
class LinkSeries {
  readonly results: Series;
  readonly errors: Series;
  readonly labelled: Series;
  readonly correct: Series;
  readonly payloadBytes: Series;
  readonly #link: string;
  readonly #snrMetric: SeriesMetric;
  #snr: Series | undefined;

  constructor(link: string, metrics: LinkMetrics) {
    // Both outcomes exist from the first frame on, so that a rate of errors is 0 and not absent.
    this.results = metrics.frames.of({ link, outcome: 'result' });
    this.errors = metrics.frames.of({ link, outcome: 'error' });
    this.labelled = metrics.labelled.of({ link });
    this.correct = metrics.correct.of({ link });
    this.payloadBytes = metrics.payloadBytes.of({ link });
    this.#link = link;
    this.#snrMetric = metrics.snr;
  }

  setSnr(snrDb: number): void {
    // Not there until it is known: 0 dB is an SNR.
    this.#snr ??= this.#snrMetric.of({ link: this.#link });
    this.#snr.value = snrDb;
  }
}

interface LinkMetrics {
  readonly frames: SeriesMetric;
  readonly labelled: SeriesMetric;
  readonly correct: SeriesMetric;
  readonly payloadBytes: SeriesMetric;
  readonly snr: SeriesMetric;
}

/**
 * What the answers that pass a service say about its links. An answer costs two map look-ups, a few histogram updates
 * (frame-histogram.ts) and additions (series-metric.ts).
 */
export class AnswerMetrics {
  readonly #perLink: LinkMetrics;
  readonly #errors: Counter<'code' | 'origin' | 'cause'>;
  readonly #latency: HistogramSeries;
  /** Where all of a frame's stages are behind it. */
  readonly #network: HistogramSeries | undefined;
  readonly #meaning: MeaningMetrics | undefined;
  readonly #channelUses: HistogramSeries;
  readonly #stages: { field: (typeof STAGES)[keyof typeof STAGES]['field']; series: HistogramSeries }[];
  readonly #links: LinkLabels;
  readonly #series = new Map<string, LinkSeries>();

  /** @param meaning what else is measured of classifications, where they are made */
  constructor(service: InstrumentedService, registry: Registry, links: LinkLabels, meaning?: MeaningMetrics) {
    this.#links = links;
    this.#meaning = meaning;
    this.#perLink = {
      frames: new SeriesMetric(registry, METRICS.frames),
      labelled: new SeriesMetric(registry, METRICS.labelled),
      correct: new SeriesMetric(registry, METRICS.correct),
      payloadBytes: new SeriesMetric(registry, METRICS.payloadBytes),
      snr: new SeriesMetric(registry, METRICS.snr),
    };
    this.#errors = makeCounter<'errors'>(registry, METRICS.errors);
    this.#latency = new FrameHistogram(registry, METRICS.endToEndLatency).labels({});
    const { services } = METRICS.network;
    if (services.some((one) => one === service))
      this.#network = new FrameHistogram(registry, METRICS.network).labels({});
    this.#channelUses = new FrameHistogram(registry, METRICS.channelUses).labels({});
    const stages = new FrameHistogram(registry, METRICS.stage);
    this.#stages = Object.entries(STAGES)
      .filter(([, owner]) => owner.service === service)
      .map(([stage, { field }]) => ({ field, series: stages.labels({ stage }) }));
  }

  /**
   * @param answers as they pass towards the source, each exactly once
   * @param nowUnixNano when they passed, nanoseconds since the Unix epoch
   */
  observe(answers: Iterable<MeasuredAnswer>, nowUnixNano: bigint): void {
    for (const answer of answers) {
      const link = this.#seriesOf(answer.linkId);
      this.#observeOutcome(answer, link);
      if (answer.captureTimeUnixNano > 0n) {
        // Clocks of two machines differ: an answer "before" its capture counts as instantaneous.
        const seconds = Math.max(0, Number(nowUnixNano - answer.captureTimeUnixNano) / 1e9);
        this.#latency.observe(seconds, answer.traceparent);
        if (this.#network && answer.outcome.case === 'classification' && answer.timings) {
          this.#network.observe(Math.max(0, seconds - stagesOf(answer.timings)), answer.traceparent);
        }
      }
      if (answer.channelUses > 0) this.#channelUses.observe(answer.channelUses);
      if (answer.snrDb !== undefined && Number.isFinite(answer.snrDb)) link.setSnr(answer.snrDb);
      link.payloadBytes.value += answer.payloadBytes;
      if (!answer.timings) continue;
      for (const stage of this.#stages) {
        const nanos = answer.timings[stage.field];
        if (nanos > 0n) stage.series.observe(Number(nanos) / 1e9, answer.traceparent);
      }
    }
  }

  #observeOutcome(answer: MeasuredAnswer, link: LinkSeries): void {
    const { outcome, trueLabel } = answer;
    if (outcome.case === 'classification') {
      link.results.value++;
      this.#meaning?.observe(outcome.value, answer);
      if (trueLabel === undefined) return;
      link.labelled.value++;
      if (outcome.value.label === trueLabel) link.correct.value++;
      return;
    }
    link.errors.value++;
    const code = CODE_NAMES[outcome.value?.code ?? 2] ?? 'UNKNOWN';
    const origin = outcome.value?.origin ?? '';
    const cause = outcome.value?.cause ?? '';
    this.#errors.inc({
      code,
      origin: ORIGINS.has(origin) ? origin : OTHER,
      cause: Object.hasOwn(ERROR_CAUSES, cause) ? cause : OTHER,
    });
  }

  #seriesOf(linkId: string): LinkSeries {
    const link = this.#links.fold(linkId);
    let series = this.#series.get(link);
    if (!series) {
      series = new LinkSeries(link, this.#perLink);
      this.#series.set(link, series);
    }
    return series;
  }
}
