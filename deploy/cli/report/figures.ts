import { meanAndDeviation } from '../statistics.js';
import type { BaselinePoint, ModelPoint, ReportData } from './data.js';
import type { Figure, FigurePoint, Series } from './figure.js';
import { partFigures } from './parts.js';
import { type RunResult, shownPoints } from './recorded.js';

/** Lengths and SNRs at which models are set beside baselines. */
const COMPARED_K = [2, 8, 32, 128];
const COMPARED_SNR_DB = [-10, 0, 10, 20];

const SNR_AXIS = { label: 'average SNR Es/N0, dB', log2: false };
const K_AXIS = { label: 'complex channel uses an image, k', log2: true };
const ACCURACY = { label: 'accuracy, %' };

/** Percent with two decimals: what is drawn, listed and written is the same number. */
export const percentOf = (share: number) => Number((100 * share).toFixed(2));

const channelName = (name: string) => (name === 'awgn' ? 'AWGN' : 'block Rayleigh');
const unique = (values: number[]) => [...new Set(values)].sort((a, b) => a - b);

function of(points: readonly ModelPoint[], x: (p: ModelPoint) => number): FigurePoint[] {
  return [...points]
    .sort((a, b) => x(a) - x(b))
    .map((p) => ({
      x: x(p),
      y: percentOf(p.accuracy),
      ...(p.accuracy_by_seed.length > 1 && { error: percentOf(p.accuracy_deviation) }),
    }));
}

function ofBaseline(points: readonly BaselinePoint[], x: (p: BaselinePoint) => number): Series[] {
  const names = { 'coded-label': 'on-device classifier, coded label', 'capacity-bound': 'capacity bound, any system' };
  return (['coded-label', 'capacity-bound'] as const).map((baseline) => ({
    name: names[baseline],
    style: 'dashed' as const,
    points: points
      .filter((p) => p.baseline === baseline)
      .sort((a, b) => x(a) - x(b))
      .map((p) => ({ x: x(p), y: percentOf(p.accuracy) })),
  }));
}

/** Every plot of the report, from what was measured, computed and recorded. */
export function figuresOf(data: Omit<ReportData, 'figures'>): Figure[] {
  return [
    ...overSnr(data),
    ...besideBaselines(data),
    ...overLength(data),
    ...peakPower(data),
    ...partFigures(data.recorded),
    ...dataAxis(data),
  ].filter(({ series }) => series.length > 0);
}

function averagePoints(data: Omit<ReportData, 'figures'>) {
  const points = data.results.filter((p) => p.power === 'average');
  return { points, channels: [...new Set(points.map((p) => p.channel))], models: data.models.map((m) => m.model) };
}

function overSnr(data: Omit<ReportData, 'figures'>): Figure[] {
  const { points, channels, models } = averagePoints(data);
  return models.flatMap((model) =>
    channels.map((channel) => {
      const mine = points.filter((p) => p.model === model && p.channel === channel);
      const series = unique(mine.map((p) => p.k)).map((k) => ({
        name: `k = ${k}`,
        style: 'line' as const,
        points: of(
          mine.filter((p) => p.k === k),
          (p) => p.snr_db,
        ),
      }));
      const title = `${model} over ${channelName(channel)}`;
      return {
        id: `snr-${model}-${channel}`,
        group: 'Accuracy over SNR, by length',
        title,
        x: SNR_AXIS,
        y: ACCURACY,
        series,
      };
    }),
  );
}

function besideBaselines(data: Omit<ReportData, 'figures'>): Figure[] {
  const { points, channels, models } = averagePoints(data);
  const lengths = unique(points.map((p) => p.k)).filter((k) => COMPARED_K.includes(k));
  return channels.flatMap((channel) =>
    lengths.map((k) => ({
      id: `baselines-${channel}-k${k}`,
      group: 'Beside the baselines, over SNR',
      title: `k = ${k} over ${channelName(channel)}`,
      x: SNR_AXIS,
      y: ACCURACY,
      series: [
        ...models.map((model) => ({
          name: model,
          style: 'line' as const,
          points: of(
            points.filter((p) => p.model === model && p.channel === channel && p.k === k),
            (p) => p.snr_db,
          ),
        })),
        ...ofBaseline(
          data.baselines.filter((p) => p.channel === channel && p.k === k),
          (p) => p.snr_db,
        ),
      ].filter((s) => s.points.length > 0),
    })),
  );
}

function overLength(data: Omit<ReportData, 'figures'>): Figure[] {
  const { points, channels, models } = averagePoints(data);
  const levels = unique(points.map((p) => p.snr_db)).filter((snr) => COMPARED_SNR_DB.includes(snr));
  return channels.flatMap((channel) =>
    levels.map((snr) => {
      const here = <T extends { channel: string; snr_db: number }>(list: readonly T[]) =>
        list.filter((p) => p.channel === channel && p.snr_db === snr);
      const pixels = here(data.recorded.pixels ?? []);
      return {
        id: `length-${channel}-${snr}dB`,
        group: 'Beside the baselines, over channel uses',
        title: `${snr} dB over ${channelName(channel)}`,
        x: K_AXIS,
        y: ACCURACY,
        series: [
          ...models.map((model) => ({
            name: model,
            style: 'line' as const,
            points: of(
              here(points).filter((p) => p.model === model),
              (p) => p.k,
            ),
          })),
          ...ofBaseline(here(data.baselines), (p) => p.k),
          ...[...new Set(pixels.map((p) => p.codec))].map((codec) => ({
            name: `${codec} + LDPC + QAM`,
            style: 'line' as const,
            points: pixels
              .filter((p) => p.codec === codec)
              .sort((a, b) => a.k - b.k)
              .map((p) => ({ x: p.k, y: percentOf(p.accuracy) })),
          })),
        ].filter((s) => s.points.length > 0),
      };
    }),
  );
}

function peakPower(data: Omit<ReportData, 'figures'>): Figure[] {
  const published = data.published.filter((p) => p.power === 'peak');
  return data.models.map(({ model }) => {
    const mine = data.results.filter((p) => p.power === 'peak' && p.model === model);
    const papers = [...new Set(published.map((p) => p.who))];
    return {
      id: `peak-${model}`,
      group: 'Under the peak constraint, beside published points',
      title: `${model} over AWGN, |re|, |im| <= 1`,
      x: { label: 'peak SNR 1/sigma^2, dB', log2: false },
      y: ACCURACY,
      series: [
        ...unique(mine.map((p) => p.k)).map((k) => ({
          name: `k = ${k} (${2 * k} real values)`,
          style: 'line' as const,
          points: of(
            mine.filter((p) => p.k === k),
            (p) => p.snr_db,
          ),
        })),
        ...papers.map((who) => ({
          name: `${who.split(' (')[0]}, 14 to 23 real values`,
          style: 'dots' as const,
          points: published.filter((p) => p.who === who).map((p) => ({ x: p.snr_db, y: percentOf(p.accuracy) })),
        })),
      ],
    };
  });
}

/** Accuracy over the share of the training images, one plot for each channel, SNR and k that runs have. */
function dataAxis(data: Omit<ReportData, 'figures'>): Figure[] {
  const runs = data.recorded.dataAxis ?? [];
  const key = (p: { channel: string; snr_db: number; k: number }) => `${p.channel} ${p.snr_db} dB, k = ${p.k}`;
  const settings = [...new Set(runs.flatMap((run) => shownPoints(run).map(key)))];
  return settings.map((setting) => ({
    id: `data-${setting.replace(/[^a-z0-9-]+/g, '-')}`,
    group: 'Accuracy over the number of training images',
    title: setting,
    x: { label: 'training images', log2: false },
    y: ACCURACY,
    series: [...new Set(runs.map((run) => run.what))].map((what) => ({
      name: what,
      style: 'line' as const,
      points: byImages(
        runs.filter((run) => run.what === what),
        (run) => run.points.find((p) => key(p) === setting)?.accuracy,
      ),
    })),
  }));
}

function byImages(runs: readonly RunResult[], accuracyOf: (run: RunResult) => number | undefined): FigurePoint[] {
  return unique(runs.map((run) => run.images)).flatMap((images) => {
    const accuracies = runs.flatMap((run) => (run.images === images ? (accuracyOf(run) ?? []) : []));
    if (accuracies.length === 0) return [];
    const { mean, deviation } = meanAndDeviation(accuracies);
    return [{ x: images, y: percentOf(mean), ...(accuracies.length > 1 && { error: percentOf(deviation) }) }];
  });
}
