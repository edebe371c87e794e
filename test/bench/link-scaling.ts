/**
 * Images a second of a link as its services get more worker processes:
 *
 *   node dist/test/bench/link-scaling.js --help
 *
 * One link of services for each number of workers, all up at once and loaded in turn, so that what else the machine does
 * meets all alike. Once the cores are full, more workers cost: `cores` says how many the services used.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { type LinkMeasurement, measureLink } from '../../deploy/cli/bench/link-bench.js';
import { middle, shapeOf, startBenchLink, targetAt } from '../../deploy/cli/bench/link-command.js';
import { formatTable } from '../../deploy/cli/table.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { jsonOption, loadsOf, timeOptions } from './bench-options.js';

const definition = defineConfig({
  name: 'link-scaling',
  usage: 'node dist/test/bench/link-scaling.js',
  description: 'Images a second of a link over the number of worker processes of its services.',
  fields: {
    workers: option(z.array(z.int().min(1).max(64)).min(1).default([1, 2]), {
      description: 'Worker processes of each service; the first is what the others are compared with.',
    }),
    load: option(loadsOf(['1x16x16', '32x256x8']), {
      description: 'Images a message x images in flight of one stream x streams.',
    }),
    rounds: option(z.int().min(1).max(1000).default(3), { description: 'Times that all are measured, in turn.' }),
    ...timeOptions,
    json: jsonOption,
  },
});
const { config } = loadConfigOrExit(definition);

const links: Awaited<ReturnType<typeof startBenchLink>>[] = [];
process.on('exit', () => {
  for (const { processes } of links) for (const { process: child } of Object.values(processes)) child.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const targets = [];
for (const workers of config.workers) {
  const link = await startBenchLink('rayleigh-block', {}, workers);
  links.push(link);
  const processes = Object.fromEntries(
    Object.values(link.processes).map(({ role, process: { pid } }) => [role, pid!] as const),
  );
  targets.push(await targetAt(link.services['transmitter-encoder'].address, { model: '', k: 0 }, processes));
}
const measured = new Map<string, LinkMeasurement[]>();
for (let round = 0; round < config.rounds; round++) {
  for (const load of config.load) {
    for (const [i, target] of targets.entries()) {
      const key = `${load} ${i}`;
      const one = await measureLink(target, shapeOf(load), { ...config, connections: 1 });
      measured.set(key, [...(measured.get(key) ?? []), one]);
    }
  }
}
const results = config.load.flatMap((load) => {
  const first = middle(measured.get(`${load} 0`)!).images_per_second;
  return config.workers.map((workers, i) => {
    const one = middle(measured.get(`${load} ${i}`)!);
    const cores = (one.images_per_second * one.services_us!) / 1e6;
    return { load, workers, ratio: one.images_per_second / first, cores, ...one };
  });
});
process.stdout.write(
  formatTable(
    ['load', 'workers', 'images/s', 'ratio', 'cores', 'us an image', 'p50 ms', 'p99 ms', 'MiB', 'errors'],
    results.map((one) => [
      one.load,
      String(one.workers),
      one.images_per_second.toFixed(0),
      one.ratio.toFixed(2),
      one.cores.toFixed(2),
      one.services_us!.toFixed(0),
      one.latency_ms.p50.toFixed(2),
      one.latency_ms.p99.toFixed(2),
      String(one.resident_mib),
      String(one.errors),
    ]),
  ),
);
process.stdout.write(`\n${availableParallelism()} cores, which the load shares\n`);
if (config.json) writeFileSync(config.json, `${JSON.stringify({ cores: availableParallelism(), results }, null, 2)}\n`);
for (const link of links) await link.stop();
process.exit(0);
