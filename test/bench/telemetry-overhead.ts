/**
 * What telemetry costs a link, and how fast /metrics is:
 *
 *   node dist/test/bench/telemetry-overhead.js [--rounds 5] [--seconds 4] [--load 32x256x4] [--links 1000] [--json FILE]
 *
 * Four links of three processes each stay up, and are loaded in turn, round by round, so that what else the machine does
 * meets all of them: telemetry off; metrics alone; and metrics with 1 % and with 100 % of the images traced, to a collector
 * that keeps nothing. Compared are images a second of the clock and of the services' processor time, as medians over
 * rounds of the ratio to `off` in the same round. Then every service of a link that knows `--links` links, each with a label
 * of its own, is scraped in both formats while it is loaded, by a process of its own that also says which part of the time
 * is waiting for the service and which is rendering (scraper.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type LinkMeasurement, measureLink } from '../../deploy/cli/bench/link-bench.js';
import { targetAt } from '../../deploy/cli/bench/link-command.js';
import { startProcesses } from '../../deploy/local/processes.js';
import { compiledModule } from '../../shared/build/compiled.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { SERVICES } from '../../shared/telemetry/index.js';
import { meetLinks } from './many-links.js';
import type { ScrapeTimes } from './scraper.js';

const definition = defineConfig({
  name: 'telemetry-overhead',
  usage: 'node dist/test/bench/telemetry-overhead.js',
  description: 'Measures what telemetry costs a link, and how long /metrics takes while many links are known.',
  fields: {
    rounds: option(z.int().min(1).max(1000).default(5), { description: 'Times that every kind is measured, in turn.' }),
    seconds: option(z.number().min(0.1).max(600).default(4), { description: 'Time of one measurement.', unit: 's' }),
    warmSeconds: option(z.number().min(0).max(600).default(1), { description: 'Time before each.', unit: 's' }),
    load: option(
      z
        .string()
        .regex(/^\d+x\d+x\d+$/)
        .default('32x256x4'),
      {
        description: 'Images a message, images in flight of one stream, streams.',
      },
    ),
    links: option(z.int().min(1).max(10_000).default(1_000), { description: 'Links known when /metrics is timed.' }),
    scrapes: option(z.int().min(1).max(10_000).default(100), { description: 'Scrapes of each service and format.' }),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});
const { config } = loadConfigOrExit(definition);
const [perMessage, inFlight, streams] = config.load.split('x').map(Number) as [number, number, number];
const shape = { perMessage, inFlight, streams };

const started: { stop(): Promise<boolean> }[] = [];
const sink: ChildProcess = spawn(process.execPath, [fileURLToPath(compiledModule('test/bench/otlp-sink.ts'))], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
process.on('exit', () => sink.kill());
const [port] = (await once(createInterface({ input: sink.stdout! }), 'line')) as [string];

/** A link on free ports, the transmitter tracing this share of the images. */
async function startLink(telemetry: 'on' | 'off', sampleRatio: number) {
  const free = {
    listen: '127.0.0.1:0',
    'metrics.listen': '127.0.0.1:0',
    'metrics.linkLimit': 10_000,
    logLevel: 'warn',
    'rpc.maxConnectionAgeMs': 0,
    telemetry,
  };
  const env = sampleRatio > 0 ? { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } : {};
  const options = {
    'transmitter-encoder': { ...free, ...(sampleRatio > 0 && { 'trace.sampleRatio': sampleRatio }) },
    'channel-emulator': free,
    'receiver-decoder': free,
  };
  const link = await startProcesses(options, { env });
  started.push(link);
  const pids = Object.fromEntries(Object.values(link.processes).map(({ role, process: { pid } }) => [role, pid!]));
  const target = await targetAt(link.processes['transmitter-encoder'].address, { model: '', k: 0 }, pids);
  return { link, target };
}

const kinds = {
  off: await startLink('off', 0),
  metrics: await startLink('on', 0),
  'one per cent': await startLink('on', 0.01),
  all: await startLink('on', 1),
};
type Kind = keyof typeof kinds;
const names = Object.keys(kinds) as Kind[];
const measured = Object.fromEntries(names.map((name) => [name, [] as LinkMeasurement[]])) as Record<
  Kind,
  LinkMeasurement[]
>;

const measuring = { seconds: config.seconds, warmSeconds: config.warmSeconds, connections: streams };
for (let round = 0; round < config.rounds; round++) {
  // Each kind is the first as often as the others.
  for (const i of names.keys()) {
    const name = names[(i + round) % names.length]!;
    const one = await measureLink(kinds[name].target, shape, measuring);
    if (one.errors > 0) throw new Error(`${name}: ${one.first_error}`);
    measured[name].push(one);
    process.stderr.write(
      `round ${round + 1}  ${name}: ${one.images_per_second} images/s, ${one.services_us} us each\n`,
    );
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const throughput = names.map((name) => ({
  telemetry: name,
  images_per_second: median(measured[name].map((one) => one.images_per_second)),
  services_us: median(measured[name].map((one) => one.services_us!)),
  of_off: median(measured[name].map((one, i) => one.images_per_second / measured.off[i]!.images_per_second)),
  of_off_by_processor_time: median(measured[name].map((one, i) => measured.off[i]!.services_us! / one.services_us!)),
}));

const { link, target } = kinds['one per cent'];
await meetLinks(target.address, target.images, config.links);
const load = measureLink(target, shape, { ...measuring, seconds: 1e6 }).catch(() => undefined);
await wait(config.warmSeconds * 1e3);
const urls = new Map(SERVICES.map((role) => [`http://${link.processes[role].metricsAddress}`, role]));
const scraper = spawn(
  process.execPath,
  [fileURLToPath(compiledModule('test/bench/scraper.ts')), String(config.scrapes), ...urls.keys()],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const scrapes = [];
for await (const line of createInterface({ input: scraper.stdout! })) {
  const { url, ...times } = JSON.parse(line) as ScrapeTimes;
  scrapes.push({ role: urls.get(url), ...times });
}
const result = {
  load: config.load,
  rounds: config.rounds,
  seconds: config.seconds,
  throughput,
  links: config.links,
  scrapes,
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (config.json) writeFileSync(config.json, `${JSON.stringify(result, null, 2)}\n`);
await Promise.all(started.map((one) => one.stop()));
await load;
process.exit(0);
