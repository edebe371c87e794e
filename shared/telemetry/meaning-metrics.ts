import type { Registry } from 'prom-client';
import type { Classification } from '../gen/semlink/v1/frame_pb.js';
import { BoundedLabels, type LinkLabels } from './bounded-labels.js';
import { FrameHistogram, type HistogramSeries } from './frame-histogram.js';
import { GridCounter } from './grid-counter.js';
import { LENGTHS, METRICS, SNR_STEPS } from './names.js';
import { type Series, SeriesMetric } from './series-metric.js';

/** The parts of an answer, besides the classification, that tell under which circumstances it was made. */
export interface AnswerCircumstances {
  readonly trueLabel?: number | undefined;
  /** Average Es/N0 on the air, dB. */
  readonly snrDb?: number | undefined;
  /** k */
  readonly channelUses: number;
  /** Of the model that encoded and decoded the frame; '' or undefined: it is not known. */
  readonly modelVersion?: string | undefined;
}

/** Models with label values of their own: those that are served at once are few. */
const MODEL_LIMIT = 8;

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
  readonly #models: ModelMetrics;

  constructor(registry: Registry, links: LinkLabels) {
    this.#links = links;
    this.#labelled = new GridCounter(registry, METRICS.labelledBySnr, SNR_STEPS, LENGTHS);
    this.#correct = new GridCounter(registry, METRICS.correctBySnr, SNR_STEPS, LENGTHS);
    this.#confidence = new FrameHistogram(registry, METRICS.confidence).labels({});
    this.#bits = new FrameHistogram(registry, METRICS.semanticBits).labels({});
    this.#rechecked = new SeriesMetric(registry, METRICS.rechecked);
    this.#disagreed = new SeriesMetric(registry, METRICS.disagreed);
    this.#models = new ModelMetrics(registry);
  }

  /** One classification on its way back. */
  observe({ label, confidence }: Classification, circumstances: AnswerCircumstances): void {
    const { trueLabel, snrDb, channelUses, modelVersion } = circumstances;
    const model = modelVersion ? this.#models.of(modelVersion) : undefined;
    if (Number.isFinite(confidence)) {
      this.#confidence.observe(confidence);
      model?.confidence.observe(confidence);
    }
    if (trueLabel === undefined) return;
    if (model) {
      model.labelled.value++;
      if (label === trueLabel) model.correct.value++;
    }
    if (snrDb === undefined) return;
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

/** What is measured of the answers of one model. */
interface ModelSeries {
  readonly labelled: Series;
  readonly correct: Series;
  readonly confidence: HistogramSeries;
}

/** The same of each model: how a canary does beside the rest. */
class ModelMetrics {
  readonly #labelled: SeriesMetric;
  readonly #correct: SeriesMetric;
  readonly #confidence: FrameHistogram;
  readonly #labels = new BoundedLabels(MODEL_LIMIT);
  readonly #series = new Map<string, ModelSeries>();

  constructor(registry: Registry) {
    this.#labelled = new SeriesMetric(registry, METRICS.labelledByModel);
    this.#correct = new SeriesMetric(registry, METRICS.correctByModel);
    this.#confidence = new FrameHistogram(registry, METRICS.confidenceByModel);
  }

  of(version: string): ModelSeries {
    const model = this.#labels.fold(version);
    let series = this.#series.get(model);
    if (!series) {
      series = {
        labelled: this.#labelled.of({ model }),
        correct: this.#correct.of({ model }),
        confidence: this.#confidence.labels({ model }),
      };
      this.#series.set(model, series);
    }
    return series;
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
