import type { Registry } from 'prom-client';
import type { Classification } from '../gen/semlink/v1/frame_pb.js';
import type { LinkLabels } from './bounded-labels.js';
import { FrameHistogram, type HistogramSeries } from './frame-histogram.js';
import { GridCounter } from './grid-counter.js';
import { LENGTHS, METRICS, SNR_STEPS } from './names.js';
import { SeriesMetric } from './series-metric.js';

/** The parts of an answer, besides the classification, that tell under which circumstances it was made. */
export interface AnswerCircumstances {
  readonly trueLabel?: number | undefined;
  /** Average Es/N0 on the air, dB. */
  readonly snrDb?: number | undefined;
  /** k */
  readonly channelUses: number;
}

const LOWEST_STEP_DB = Number(SNR_STEPS[1]);

/** Whether meaning arrives: what a receiver measures of its classifications. Nothing here allocates once a frame. */
export class MeaningMetrics {
  readonly #labelled: GridCounter;
  readonly #correct: GridCounter;
  readonly #confidence: HistogramSeries;
  readonly #bits: HistogramSeries;
  readonly #rechecked: SeriesMetric;
  readonly #disagreed: SeriesMetric;
  readonly #links: LinkLabels;

  constructor(registry: Registry, links: LinkLabels) {
    this.#links = links;
    this.#labelled = new GridCounter(registry, METRICS.labelledBySnr, SNR_STEPS, LENGTHS);
    this.#correct = new GridCounter(registry, METRICS.correctBySnr, SNR_STEPS, LENGTHS);
    this.#confidence = new FrameHistogram(registry, METRICS.confidence).labels({});
    this.#bits = new FrameHistogram(registry, METRICS.semanticBits).labels({});
    this.#rechecked = new SeriesMetric(registry, METRICS.rechecked);
    this.#disagreed = new SeriesMetric(registry, METRICS.disagreed);
  }

  /** One classification on its way back. */
  observe({ label, confidence }: Classification, { trueLabel, snrDb, channelUses }: AnswerCircumstances): void {
    if (Number.isFinite(confidence)) this.#confidence.observe(confidence);
    if (trueLabel === undefined || snrDb === undefined) return;
    const step = snrStep(snrDb);
    const length = lengthIndex(channelUses);
    this.#labelled.add(step, length);
    if (label === trueLabel) this.#correct.add(step, length);
  }

  /** @param bits the most that an image's received symbols can tell of it */
  observeBits(bits: number): void {
    if (Number.isFinite(bits)) this.#bits.observe(bits);
  }

  /** A frame that was decoded a second time. @param agrees whether that gave the same class */
  recheck(linkId: string, agrees: boolean): void {
    const link = this.#links.fold(linkId);
    this.#rechecked.of({ link }).add(1);
    this.#disagreed.of({ link }).add(agrees ? 0 : 1);
  }
}

/** Index into `SNR_STEPS` of the step that holds an SNR, dB. */
export function snrStep(snrDb: number): number {
  const step = Math.floor((snrDb - LOWEST_STEP_DB) / 2) + 1;
  return Math.min(SNR_STEPS.length - 1, Math.max(0, step));
}

/** Index into `LENGTHS` of a number of channel uses: powers of two from 2 to 128 have their own. */
export function lengthIndex(channelUses: number): number {
  const index = 30 - Math.clz32(channelUses);
  const isOwn = index >= 0 && index < LENGTHS.length - 1 && channelUses === 2 << index;
  return isOwn ? index : LENGTHS.length - 1;
}
