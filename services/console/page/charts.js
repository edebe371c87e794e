/** SNR, symbols, accuracy and latency over the last two minutes. */

import { decibels, decimal, duration, percent } from './format.js';
import uPlot from './vendor/uPlot.js';

const spanSeconds = 120;
/** Points further apart are not joined. */
const gapSeconds = 2;
const mostPoints = 2_400;
/** Columns: time, snr, momentary, uses, accuracy, median, p95. */
const columns = Array.from({ length: 7 }, () => []);
const text = (name, value) => {
  document.querySelector(`[data-now="${name}"]`).textContent = value;
};

export function addPoints(points) {
  for (const point of points) {
    const before = columns[0].at(-1);
    // No page was open in between, or the console was away: no line across.
    if (before !== undefined && point.atMs / 1e3 - before > gapSeconds) {
      columns.forEach((column, i) => {
        column.push(i === 0 ? before + 0.001 : null);
      });
    }
    const row = [
      point.atMs / 1e3,
      point.snrDb,
      point.momentarySnrDb,
      point.channelUses ?? columns[3].at(-1) ?? null,
      point.accuracy === null ? null : 100 * point.accuracy,
      ms(point.latencyMedianSeconds),
      ms(point.latencyP95Seconds),
    ];
    // The number of symbols stands until there is another, unless nothing flows.
    if (point.snrDb === null) row[3] = null;
    row.forEach((value, i) => {
      columns[i].push(value);
    });
  }
  const excess = columns[0].length - mostPoints;
  if (excess > 0) for (const column of columns) column.splice(0, excess);
  const last = points.at(-1);
  text('snr', decibels(last.snrDb));
  text('momentary', decibels(last.momentarySnrDb));
  text('uses', decimal(columns[3].at(-1)));
  text('accuracy', percent(last.accuracy));
  text('median', duration(last.latencyMedianSeconds));
  text('p95', duration(last.latencyP95Seconds));
  schedule();
}

const ms = (seconds) => (seconds === null ? null : 1e3 * seconds);

let charts = [];
let scheduled = false;

function schedule() {
  if (scheduled || document.hidden) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const now = columns[0].at(-1) ?? Date.now() / 1e3;
    for (const { plot, pick } of charts) {
      plot.batch(() => {
        plot.setData(
          pick.map((i) => columns[i]),
          false,
        );
        plot.setScale('x', { min: now - spanSeconds, max: now });
      });
    }
  });
}

/** Draws anew in the colours of the theme that is in force. */
export function buildCharts() {
  for (const { plot } of charts) plot.destroy();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const x = {
    ...axis(colour),
    size: 26,
    values: (_, ticks) => ticks.map((tick) => new Date(tick * 1e3).toTimeString().slice(3, 8)),
  };
  const y = (over) => ({ ...axis(colour), size: 44, ...over });
  const line = (name, over = {}) => ({ stroke: colour(name), width: 2, points: { show: false }, ...over });
  const dashed = { dash: [6, 4] };
  charts = [
    chart('chart-snr', [0, 2, 1, 3], {
      series: [
        {},
        line('--momentary', { scale: 'y', width: 1.25 }),
        line('--snr', { scale: 'y', width: 2.5 }),
        line('--uses', { scale: 'k', ...dashed }),
      ],
      scales: {
        x: { time: false },
        y: { range: (_, least, greatest) => [Math.min(-5, (least ?? 0) - 3), Math.max(20, (greatest ?? 0) + 3)] },
        k: { distr: 3, log: 2, range: [1, 256] },
      },
      axes: [
        x,
        y({ scale: 'y', values: (_, ticks) => ticks.map((tick) => `${tick}`.replace('-', '−')) }),
        y({
          scale: 'k',
          side: 1,
          size: 38,
          grid: { show: false },
          splits: () => [2, 8, 32, 128],
          filter: (_, splits) => splits,
          values: (_, ticks) => ticks.map(String),
        }),
      ],
    }),
    chart('chart-accuracy', [0, 4], {
      series: [{}, line('--accuracy', { width: 2.5 })],
      scales: { x: { time: false }, y: { range: [0, 100] } },
      axes: [x, y({ splits: () => [0, 25, 50, 75, 100], values: (_, ticks) => ticks.map((tick) => `${tick} %`) })],
    }),
    chart('chart-latency', [0, 6, 5], {
      series: [{}, line('--p95', dashed), line('--median', { width: 2.5 })],
      scales: {
        x: { time: false },
        y: {
          distr: 3,
          range: (_, least, greatest) => [
            decade(least ?? 1, Math.floor),
            Math.max(100, decade(greatest ?? 1, Math.ceil)),
          ],
        },
      },
      axes: [
        x,
        y({
          size: 54,
          splits: () => [0.1, 1, 10, 100, 1e3, 1e4],
          filter: (_, splits) => splits,
          values: (_, ticks) => ticks.map((tick) => duration(tick / 1e3).replace('.0', '')),
        }),
      ],
    }),
  ];
  schedule();
}

/** The power of ten below or above. */
function decade(value, round) {
  return 10 ** round(Math.log10(Math.max(value, 0.01)));
}

function axis(colour) {
  return {
    stroke: colour('--quiet'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
}

function chart(id, pick, options) {
  const element = document.getElementById(id);
  const plot = new uPlot(
    {
      width: element.clientWidth,
      height: element.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 8, 0, 0],
      ...options,
    },
    pick.map((i) => columns[i]),
    element,
  );
  return { plot, pick, element };
}

export function fitCharts() {
  for (const { plot, element } of charts) {
    if (plot.width !== element.clientWidth) plot.setSize({ width: element.clientWidth, height: element.clientHeight });
  }
}
