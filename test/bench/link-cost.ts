/**
 * What a link costs as the work grows: 1 to 256 streams with 1 to 1,024 images in flight each.
 *
 *   node dist/test/bench/link-cost.js --help
 *
 * Three services on free ports; every stream is a link of its own, one image a message. The knee is the load with the least
 * images in flight that reaches `--knee` of the most images a second of all loads: beyond it, more in flight is waiting.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { type LinkMeasurement, measureLink } from '../../deploy/cli/bench/link-bench.js';
import { middle, startBenchLink, targetAt } from '../../deploy/cli/bench/link-command.js';
import { ProgressLine } from '../../deploy/cli/progress-line.js';
import type { Figure } from '../../deploy/cli/report/figure.js';
import { plot } from '../../deploy/cli/report/plot.js';
import { formatTable } from '../../deploy/cli/table.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { jsonOption, timeOptions } from './bench-options.js';
import { kneeOf } from './knee.js';

/** Time under load before the first one that counts, s. */
const WARM_UP = 15;

const counts = (most: number, values: number[]) => z.array(z.int().min(1).max(most)).min(1).default(values);
const definition = defineConfig({
  name: 'link-cost',
  usage: 'node dist/test/bench/link-cost.js',
  description: 'Images a second, latency, processor time and memory of a link from one stream to many.',
  fields: {
    streams: option(counts(4096, [1, 4, 16, 64, 256]), { description: 'Streams, each a link of its own.' }),
    inFlight: option(counts(65_536, [1, 4, 16, 64, 256, 1024]), { description: 'Images in flight of one stream.' }),
    mostInFlight: option(z.int().min(1).default(32_768), {
      description: 'Loads with more images in flight than this, over all streams, are left out: they fill memory.',
    }),
    ...timeOptions,
    rounds: option(z.int().min(1).max(1000).default(1), {
      description: 'Times that every load is measured, in turn; the median by images a second counts.',
    }),
    workers: option(z.int().min(1).max(64).default(1), { description: 'Worker processes of each service.' }),
    knee: option(z.number().min(0.1).max(1).default(0.9), {
      description: 'Share of the most images a second that the knee must reach.',
    }),
    json: jsonOption,
    svg: option(z.string().optional(), {
      description: 'Also draw images a second and p99 latency: FOLDER/link-cost-speed.svg and -latency.svg.',
      placeholder: 'FOLDER',
    }),
  },
});
const { config } = loadConfigOrExit(definition);
if (config.svg) mkdirSync(config.svg, { recursive: true });

const loads = config.streams.flatMap((streams) =>
  config.inFlight
    .filter((inFlight) => streams * inFlight <= config.mostInFlight)
    .map((inFlight) => ({ perMessage: 1, inFlight, streams })),
);
const link = await startBenchLink('rayleigh-block', {}, config.workers);
process.on('exit', () => {
  for (const { process: child } of Object.values(link.processes)) child.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const processes = Object.fromEntries(
  Object.values(link.processes).map(({ role, process: { pid } }) => [role, pid!] as const),
);
const target = await targetAt(link.services['transmitter-encoder'].address, { model: '', k: 0 }, processes);

const measured = loads.map((): LinkMeasurement[] => []);
const progress = new ProgressLine(process.stderr);
// Node compiles what it runs often while it runs: the first loads would pay for all.
progress.update('warming up', 0);
await measureLink(target, { perMessage: 1, inFlight: 64, streams: 4 }, { ...config, seconds: WARM_UP, connections: 1 });
for (let round = 0; round < config.rounds; round++) {
  for (const [i, load] of loads.entries()) {
    const done = round * loads.length + i;
    progress.update(`${done}/${loads.length * config.rounds} loads`, done / (loads.length * config.rounds));
    measured[i]!.push(await measureLink(target, load, { ...config, connections: 1 }));
  }
}
progress.clear();

const results = measured.map(middle).map((one) => ({
  ...one,
  cores: Number(((one.images_per_second * one.services_us!) / 1e6).toFixed(2)),
}));
const knee = kneeOf(results, config.knee);
process.stdout.write(
  formatTable(
    ['streams', 'in flight', 'images/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'cores', 'us an image', 'MiB', 'errors', ''],
    results.map((one) => [
      String(one.streams),
      String(one.in_flight),
      one.images_per_second.toFixed(0),
      ...(['p50', 'p99', 'p99.9'] as const).map((name) => one.latency_ms[name].toFixed(2)),
      one.cores.toFixed(2),
      one.services_us!.toFixed(0),
      String(one.resident_mib),
      String(one.errors),
      one === knee ? '<- knee' : '',
    ]),
  ),
);
process.stdout.write(
  `\nknee: ${knee.streams} streams x ${knee.in_flight} in flight, ${knee.images_per_second.toFixed(0)} images/s at a p99 of ` +
    `${knee.latency_ms.p99.toFixed(1)} ms; no load with fewer in flight reaches ${100 * config.knee} % of the most\n`,
);
if (config.json) writeFileSync(config.json, `${JSON.stringify({ results, knee }, null, 2)}\n`);
if (config.svg) {
  const draw = (id: string, title: string, label: string, y: (one: LinkMeasurement) => number): void => {
    const series = config.streams.map((streams) => ({
      name: `${streams} stream${streams === 1 ? '' : 's'}`,
      style: 'line' as const,
      points: results.filter((one) => one.streams === streams).map((one) => ({ x: one.in_flight, y: y(one) })),
    }));
    const at = { x: knee.in_flight, y: y(knee) };
    const figure: Figure = {
      id,
      group: 'cost',
      title,
      x: { label: 'images in flight of one stream', log2: true },
      y: { label },
      series: [...series, { name: `knee: ${knee.streams} x ${knee.in_flight}`, style: 'dots', points: [at] }],
    };
    writeFileSync(path.join(config.svg!, `${id}.svg`), `${plot(figure, true)}\n`);
  };
  draw('link-cost-speed', 'Images a second of a link', 'images/s', (one) => one.images_per_second);
  draw('link-cost-latency', 'Latency of a link', 'p99 latency, ms', (one) => one.latency_ms.p99);
}
await link.stop();
process.exit(0);
