import type { Counter, Gauge, Registry } from 'prom-client';
import type { FrameResult } from '../gen/semlink/v1/frame_pb.js';
import type { LinkLabels } from './bounded-labels.js';
import { FrameHistogram, type HistogramSeries } from './frame-histogram.js';
import { makeCounter, makeGauge } from './instruments.js';
import type { MeaningMetrics } from './meaning-metrics.js';
import { CODE_NAMES, ERROR_CAUSES, type InstrumentedService, METRICS, OTHER, SERVICES, STAGES } from './names.js';

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
>;

const ORIGINS: ReadonlySet<string> = new Set(SERVICES);

/** What the stages of a frame took together, seconds; the air is part of the channel. */
function stagesOf(timings: NonNullable<MeasuredAnswer['timings']>): number {
  const { encodeQueueNanos, encodeNanos, channelNanos, decodeQueueNanos, decodeNanos } = timings;
  return Number(encodeQueueNanos + encodeNanos + channelNanos + decodeQueueNanos + decodeNanos) / 1e9;
}

/** Counts of one link, gathered over a batch and added to the counters once. */
class LinkTally {
  results = 0;
  errors = 0;
  labelled = 0;
  correct = 0;
  payloadBytes = 0;
  snrDb: number | undefined;
  touched = false;

  readonly addResults: Counter.Internal;
  readonly addErrors: Counter.Internal;
  readonly addLabelled: Counter.Internal;
  readonly addCorrect: Counter.Internal;
  readonly addPayloadBytes: Counter.Internal;
  readonly setSnr: Gauge.Internal<'link'>;

  constructor(link: string, metrics: AnswerInstruments) {
    this.addResults = metrics.frames.labels({ link, outcome: 'result' });
    this.addErrors = metrics.frames.labels({ link, outcome: 'error' });
    this.addLabelled = metrics.labelled.labels({ link });
    this.addCorrect = metrics.correct.labels({ link });
    this.addPayloadBytes = metrics.payloadBytes.labels({ link });
    this.setSnr = metrics.snr.labels({ link });
    // Both outcomes exist from the first frame on, so that a rate of errors is 0 and not absent.
    for (const counter of [this.addResults, this.addErrors, this.addLabelled, this.addCorrect]) counter.inc(0);
  }

  flush(): void {
    if (this.results > 0) this.addResults.inc(this.results);
    if (this.errors > 0) this.addErrors.inc(this.errors);
    if (this.labelled > 0) this.addLabelled.inc(this.labelled);
    if (this.correct > 0) this.addCorrect.inc(this.correct);
    if (this.payloadBytes > 0) this.addPayloadBytes.inc(this.payloadBytes);
    if (this.snrDb !== undefined && Number.isFinite(this.snrDb)) this.setSnr.set(this.snrDb);
    this.results = this.errors = this.labelled = this.correct = this.payloadBytes = 0;
    this.snrDb = undefined;
    this.touched = false;
  }
}

interface AnswerInstruments {
  readonly frames: Counter<'link' | 'outcome'>;
  readonly labelled: Counter<'link'>;
  readonly correct: Counter<'link'>;
  readonly payloadBytes: Counter<'link'>;
  readonly snr: Gauge<'link'>;
}

/**
 * What the answers that pass a service say about its links. Answers come in batches; per answer this costs a map look-up
 * and a few histogram updates (frame-histogram.ts), the counters once per link and batch.
 */
export class AnswerMetrics {
  readonly #instruments: AnswerInstruments;
  readonly #errors: Counter<'code' | 'origin' | 'cause'>;
  readonly #latency: HistogramSeries;
  /** Where all of a frame's stages are behind it. */
  readonly #network: HistogramSeries | undefined;
  readonly #meaning: MeaningMetrics | undefined;
  readonly #channelUses: HistogramSeries;
  readonly #stages: { field: (typeof STAGES)[keyof typeof STAGES]['field']; series: HistogramSeries }[];
  readonly #links: LinkLabels;
  readonly #tallies = new Map<string, LinkTally>();

  /** @param meaning what else is measured of classifications, where they are made */
  constructor(service: InstrumentedService, registry: Registry, links: LinkLabels, meaning?: MeaningMetrics) {
    this.#links = links;
    this.#meaning = meaning;
    this.#instruments = {
      frames: makeCounter<'frames'>(registry, METRICS.frames),
      labelled: makeCounter<'labelled'>(registry, METRICS.labelled),
      correct: makeCounter<'correct'>(registry, METRICS.correct),
      payloadBytes: makeCounter<'payloadBytes'>(registry, METRICS.payloadBytes),
      snr: makeGauge<'snr'>(registry, METRICS.snr),
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
    const touched: LinkTally[] = [];
    for (const answer of answers) {
      const tally = this.#tallyOf(answer.linkId);
      if (!tally.touched) {
        tally.touched = true;
        touched.push(tally);
      }
      this.#observeOutcome(answer, tally);
      if (answer.captureTimeUnixNano > 0n) {
        // Clocks of two machines differ: an answer "before" its capture counts as instantaneous.
        const seconds = Math.max(0, Number(nowUnixNano - answer.captureTimeUnixNano) / 1e9);
        this.#latency.observe(seconds, answer.traceparent);
        if (this.#network && answer.outcome.case === 'classification' && answer.timings) {
          this.#network.observe(Math.max(0, seconds - stagesOf(answer.timings)), answer.traceparent);
        }
      }
      if (answer.channelUses > 0) this.#channelUses.observe(answer.channelUses);
      if (answer.snrDb !== undefined) tally.snrDb = answer.snrDb;
      tally.payloadBytes += answer.payloadBytes;
      if (!answer.timings) continue;
      for (const stage of this.#stages) {
        const nanos = answer.timings[stage.field];
        if (nanos > 0n) stage.series.observe(Number(nanos) / 1e9, answer.traceparent);
      }
    }
    for (const tally of touched) tally.flush();
  }

  #observeOutcome(answer: MeasuredAnswer, tally: LinkTally): void {
    const { outcome, trueLabel } = answer;
    if (outcome.case === 'classification') {
      tally.results++;
      this.#meaning?.observe(outcome.value, answer);
      if (trueLabel === undefined) return;
      tally.labelled++;
      if (outcome.value.label === trueLabel) tally.correct++;
      return;
    }
    tally.errors++;
    const code = CODE_NAMES[outcome.value?.code ?? 2] ?? 'UNKNOWN';
    const origin = outcome.value?.origin ?? '';
    const cause = outcome.value?.cause ?? '';
    this.#errors.inc({
      code,
      origin: ORIGINS.has(origin) ? origin : OTHER,
      cause: Object.hasOwn(ERROR_CAUSES, cause) ? cause : OTHER,
    });
  }

  #tallyOf(linkId: string): LinkTally {
    const link = this.#links.fold(linkId);
    let tally = this.#tallies.get(link);
    if (!tally) {
      tally = new LinkTally(link, this.#instruments);
      this.#tallies.set(link, tally);
    }
    return tally;
  }
}
