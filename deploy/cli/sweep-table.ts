import { formatTable } from './table.js';
import type { Sums, Tally } from './tally.js';

/** `87.3` of 0.873, or `-` where no label is known. */
export const percent = (value: number | undefined) => (value === undefined ? '-' : (100 * value).toFixed(1));

/** `1.23 ms` */
export const milliseconds = (seconds: number) => `${(1e3 * seconds).toFixed(seconds < 0.01 ? 2 : 1)} ms`;

function row(snr: string, sums: Sums): string[] {
  const p = (q: number) => (1e3 * sums.latency.quantile(q)).toFixed(1);
  return [
    snr,
    String(sums.received),
    String(sums.errors),
    percent(sums.accuracy),
    sums.meanChannelUses.toFixed(1),
    sums.received > 0 ? (sums.payloadBytes / sums.received).toFixed(0) : '-',
    p(0.5),
    p(0.95),
  ];
}

/** What was seen at each SNR, and in all. */
export function sweepTable(tally: Tally): string {
  const rows = [...tally.bySnrDb].sort(([a], [b]) => a - b).map(([snrDb, sums]) => row(String(snrDb), sums));
  return formatTable(
    ['SNR dB', 'results', 'errors', 'accuracy %', 'mean k', 'bytes', 'p50 ms', 'p95 ms'],
    [...rows, row('all', tally.all)],
  );
}
