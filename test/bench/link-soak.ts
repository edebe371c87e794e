/**
 * A long run of a link, and whether its memory stays flat:
 *
 *   node dist/test/bench/link-soak.js --frames 10000000                                  ten million frames
 *   node dist/test/bench/link-soak.js --minutes 10 --load 4x4096 --read-pause-ms 250     a slow reader
 *   node dist/test/bench/link-soak.js --help
 *
 * The resident memory of each service is sampled; what counts is the least of each fifth of the run, for that is what is
 * left after a garbage collection. Ends with 1 when a frame was answered by an error or a service's memory grew from the
 * second fifth to the last by more than `--most-growth`.
 */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { shapeOf, startBenchLink, targetAt } from '../../deploy/cli/bench/link-command.js';
import { loadLink } from '../../deploy/cli/bench/link-load.js';
import { usageOf } from '../../deploy/cli/bench/process-usage.js';
import { ProgressLine } from '../../deploy/cli/progress-line.js';
import { formatTable } from '../../deploy/cli/table.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { jsonOption } from './bench-options.js';

const definition = defineConfig({
  name: 'link-soak',
  usage: 'node dist/test/bench/link-soak.js',
  description: 'Loads a link of three services for long and watches its memory.',
  fields: {
    frames: option(z.int().min(1).default(10_000_000), { description: 'Ends after so many images.', unit: 'images' }),
    minutes: option(z.number().min(0.05).max(100_000).default(1440), {
      description: 'Ends after so long.',
      unit: 'min',
    }),
    load: option(
      z
        .string()
        .regex(/^\d+x\d+(?:x\d+)?$/)
        .default('32x256x4'),
      {
        description: 'Images a message x images in flight of one stream x streams.',
      },
    ),
    readPauseMs: option(z.number().min(0).max(60_000).default(0), {
      description: 'A slow reader: each stream reads nothing for so long after each message of answers.',
      unit: 'ms',
    }),
    warmSeconds: option(z.number().min(0).max(3600).default(5), { description: 'Time before it counts.', unit: 's' }),
    sampleSeconds: option(z.number().min(0.1).max(3600).default(1), {
      description: 'Memory is sampled this often.',
      unit: 's',
    }),
    mostGrowth: option(z.number().min(0).max(10).default(0.1), {
      description: 'By what share memory may grow from the second fifth of the run to the last.',
    }),
    workers: option(z.int().min(1).max(64).default(1), { description: 'Worker processes of each service.' }),
    json: jsonOption,
  },
});
const { config } = loadConfigOrExit(definition);

const link = await startBenchLink('rayleigh-block', {}, config.workers);
process.on('exit', () => {
  for (const { process: child } of Object.values(link.processes)) child.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const services = Object.values(link.processes).map(({ role, process: { pid } }) => ({ role, pid: pid! }));
const target = await targetAt(link.services['transmitter-encoder'].address, { model: '', k: 0 }, {});

/** Resident bytes of each service, one row a sample. */
const samples: number[][] = [];
const progress = new ProgressLine(process.stderr);
let sampling: NodeJS.Timeout | undefined;
let answered = 0;
const begun = performance.now();
const result = await loadLink({
  ...target,
  ...shapeOf(config.load, config.readPauseMs),
  connections: 1,
  warmSeconds: config.warmSeconds,
  seconds: config.minutes * 60,
  enough: (images) => {
    answered = images;
    return images >= config.frames;
  },
  onMeasure: (what) => {
    if (what === 'end') return clearInterval(sampling);
    sampling = setInterval(() => {
      samples.push(services.map(({ pid }) => usageOf([pid]).residentBytes));
      const minutes = (performance.now() - begun) / 60_000;
      progress.update(
        `${answered} images, ${minutes.toFixed(1)} min`,
        Math.max(answered / config.frames, minutes / config.minutes),
      );
    }, config.sampleSeconds * 1e3);
  },
});
progress.clear();

const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
const fifths = Array.from({ length: 5 }, (_, i) =>
  samples.slice(Math.floor((samples.length * i) / 5), Math.floor((samples.length * (i + 1)) / 5)),
);
const memory = services.map(({ role }, s) => {
  const parts = fifths.map((rows) => rows.map((row) => row[s]!)).filter((part) => part.length > 0);
  const least = parts.map((part) => mib(Math.min(...part)));
  const most = parts.map((part) => mib(Math.max(...part)));
  const growth = least.length < 3 ? 0 : least.at(-1)! / least[1]! - 1;
  return { role, least, most, growth: Number(growth.toFixed(3)) };
});
const numbers = (list: number[]) => list.join(' ');
process.stdout.write(
  `${result.images} images in ${result.seconds.toFixed(0)} s, ${(result.images / result.seconds).toFixed(0)} a second, ` +
    `p99 ${(result.latency.quantile(0.99) * 1e3).toFixed(1)} ms, ${result.errors} errors\n\n` +
    formatTable(
      ['', 'least MiB of each fifth', 'most MiB of each fifth', 'growth'],
      memory.map(({ role, least, most, growth }) => [
        role,
        numbers(least),
        numbers(most),
        `${(100 * growth).toFixed(1)} %`,
      ]),
    ),
);
if (result.firstError) process.stdout.write(`first error: ${result.firstError}\n`);
if (config.json) {
  const { images, seconds, errors, firstError } = result;
  writeFileSync(
    config.json,
    `${JSON.stringify({ load: config.load, images, seconds, errors, firstError, memory }, null, 2)}\n`,
  );
}
await link.stop();
process.exit(result.errors > 0 || memory.some(({ growth }) => growth > config.mostGrowth) ? 1 : 0);
