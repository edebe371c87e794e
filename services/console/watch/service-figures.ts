import { METRICS } from '../../../shared/telemetry/index.js';
import { type MetricPage, sumOf } from './exposition.js';
import type { Rates } from './rates.js';

/** A number of /metrics as it stands there, so that it can be held against it. */
export interface ServiceFigures {
  /** Sum over all labels, by metric name. */
  readonly totals: Readonly<Record<string, number>>;
  /** Of the console's own link, by metric name. */
  readonly link: Readonly<Record<string, number>>;
  /** Over the last seconds; null: nothing happened, or not known. */
  readonly recent: {
    readonly imagesPerSecond: number | null;
    readonly errorsPerSecond: number | null;
    /** Share of labelled images that were right, all links, 0 to 1. */
    readonly accuracy: number | null;
    /** Mean channel uses an image. */
    readonly channelUses: number | null;
    readonly latencySeconds: number | null;
    readonly batchSize: number | null;
    /** Mean seconds in each stage of this service. */
    readonly stages: Readonly<Record<string, number | null>>;
  };
}

const totals = [
  METRICS.frames.name,
  METRICS.errors.name,
  METRICS.labelled.name,
  METRICS.correct.name,
  METRICS.payloadBytes.name,
  METRICS.queueBytes.name,
  METRICS.streamsOpen.name,
  METRICS.airLost.name,
] as const;
const ofLink = [
  METRICS.frames.name,
  METRICS.labelled.name,
  METRICS.correct.name,
  METRICS.payloadBytes.name,
  METRICS.snr.name,
] as const;
const histograms = [METRICS.channelUses.name, METRICS.endToEndLatency.name, METRICS.batchSize.name] as const;

/** The counters that rates are taken of. Stages and histograms by `_sum` and `_count`. */
export function countersOf(page: MetricPage, linkId: string): Map<string, number> {
  const counters = new Map<string, number>();
  const put = (key: string, value: number | undefined) => {
    if (value !== undefined) counters.set(key, value);
  };
  for (const { name } of [METRICS.frames, METRICS.errors, METRICS.labelled, METRICS.correct]) {
    put(name, sumOf(page, name));
    put(`link ${name}`, sumOf(page, name, { link: linkId }));
  }
  for (const name of histograms) {
    for (const part of ['sum', 'count']) put(`${name}_${part}`, sumOf(page, `${name}_${part}`));
  }
  for (const part of ['sum', 'count']) {
    for (const { labels, value } of page.get(`${METRICS.stage.name}_${part}`) ?? []) {
      const stage = /stage="([^"]*)"/.exec(labels)?.[1];
      if (stage !== undefined) put(`${stage}_${part}`, value);
    }
  }
  return counters;
}

/** @param rates of `countersOf`, this page included */
export function figuresOf(page: MetricPage, rates: Rates, linkId: string, stages: readonly string[]): ServiceFigures {
  const mean = (name: string) => rates.ratio(`${name}_sum`, `${name}_count`) ?? null;
  return {
    totals: numbers(totals, (name) => sumOf(page, name)),
    link: numbers(ofLink, (name) => sumOf(page, name, { link: linkId })),
    recent: {
      imagesPerSecond: rates.perSecond(METRICS.frames.name) ?? null,
      errorsPerSecond: rates.perSecond(METRICS.errors.name) ?? null,
      accuracy: rates.ratio(METRICS.correct.name, METRICS.labelled.name) ?? null,
      channelUses: mean(METRICS.channelUses.name),
      latencySeconds: mean(METRICS.endToEndLatency.name),
      batchSize: mean(METRICS.batchSize.name),
      stages: Object.fromEntries(stages.map((stage) => [stage, mean(stage)])),
    },
  };
}

function numbers(names: readonly string[], read: (name: string) => number | undefined): Record<string, number> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = read(name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
