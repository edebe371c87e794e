/** What each part of the method is worth: training runs beside each other, by what is special about them. */
import { meanAndDeviation } from '../statistics.js';
import type { Figure, FigurePoint } from './figure.js';
import type { Recorded, RunResult } from './recorded.js';

/** Where runs with several seeds are set side by side. */
const HEADLINES = [
  ['awgn', 10, 8],
  ['awgn', 0, 16],
  ['awgn', -10, 64],
  ['rayleigh-block', 10, 32],
] as const;
/** Lengths whose curves are drawn. */
const DRAWN_K = [8, 32];

const percentOf = (share: number) => Number((100 * share).toFixed(2));
const channelName = (name: string) => (name === 'awgn' ? 'AWGN' : 'block Rayleigh');

/** One kind of run at one point: mean and, of several seeds, sample standard deviation, in per cent. */
export interface Spread {
  mean: number;
  deviation: number | undefined;
  seeds: number;
}

/** The runs with equal budgets: without a part each, and with the teacher in the loop. */
export function partRuns({ ablations, teacherInLoop }: Recorded): RunResult[] {
  return [...(ablations ?? []), ...(teacherInLoop ?? [])].map((run) => ({
    ...run,
    // One curve of a point each: every such run is measured at its own SNR alone.
    what: run.what.startsWith('one model for ') ? 'one model per SNR' : run.what,
  }));
}

/** Kinds of runs in rows, headline points in columns. */
export function headlineTable(runs: readonly RunResult[]): {
  heads: string[];
  rows: { what: string; cells: (Spread | undefined)[] }[];
} {
  const shown = HEADLINES.filter(([channel, snr, k]) =>
    runs.some((run) => accuracyAt(run, channel, snr, k) !== undefined),
  );
  return {
    heads: shown.map(([channel, snr, k]) => `${channelName(channel)} ${snr} dB, k = ${k}`),
    rows: kindsOf(runs).map((what) => ({
      what,
      cells: shown.map(([channel, snr, k]) =>
        spread(
          runs.filter((run) => run.what === what),
          channel,
          snr,
          k,
        ),
      ),
    })),
  };
}

/** Accuracy over SNR of every kind of run, a plot for each channel and some lengths. */
export function partFigures(recorded: Recorded): Figure[] {
  const runs = partRuns(recorded);
  return (['awgn', 'rayleigh-block'] as const).flatMap((channel) =>
    DRAWN_K.map((k) => ({
      id: `parts-${channel}-k${k}`,
      group: 'What each part is worth (equal short budgets)',
      title: `size S, k = ${k} over ${channelName(channel)}`,
      x: { label: 'average SNR Es/N0, dB', log2: false },
      y: { label: 'accuracy, %' },
      series: kindsOf(runs)
        .map((what) => ({
          name: what,
          style: what === 'one model per SNR' ? ('dots' as const) : ('line' as const),
          points: overSnr(
            runs.filter((run) => run.what === what),
            channel,
            k,
          ),
        }))
        .filter(({ points }) => points.length > 0),
    })),
  );
}

function overSnr(runs: readonly RunResult[], channel: string, k: number): FigurePoint[] {
  const levels = new Set(
    runs.flatMap(({ points }) => points.filter((p) => p.channel === channel && p.k === k).map((p) => p.snr_db)),
  );
  return [...levels]
    .sort((a, b) => a - b)
    .flatMap((snr) => {
      const found = spread(runs, channel, snr, k);
      if (!found) return [];
      return [{ x: snr, y: found.mean, ...(found.deviation !== undefined && { error: found.deviation }) }];
    });
}

function spread(runs: readonly RunResult[], channel: string, snr: number, k: number): Spread | undefined {
  const accuracies = runs.flatMap((run) => accuracyAt(run, channel, snr, k) ?? []);
  if (accuracies.length === 0) return undefined;
  const { mean, deviation } = meanAndDeviation(accuracies);
  const several = accuracies.length > 1;
  return { mean: percentOf(mean), deviation: several ? percentOf(deviation) : undefined, seeds: accuracies.length };
}

function accuracyAt({ points }: RunResult, channel: string, snr: number, k: number): number | undefined {
  return points.find((p) => p.channel === channel && p.snr_db === snr && p.k === k)?.accuracy;
}

const kindsOf = (runs: readonly RunResult[]): string[] => [...new Set(runs.map(({ what }) => what))];
