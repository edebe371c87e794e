import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { channelModelNames } from '../../../shared/channel/channel-config.js';
import { type ConfigOf, defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { invalidArgument } from '../../../shared/rpc/errors.js';
import { startProcesses } from '../../local/processes.js';
import { interrupted } from '../interruption.js';
import { ProgressLine } from '../progress-line.js';
import { type BenchTarget, imagesOf, type LinkMeasurement, measureLink } from './link-bench.js';
import type { LoadShape } from './link-load.js';
import { linkReport } from './link-report.js';

const definition = defineConfig({
  name: 'bench-link',
  usage: 'semlink bench link',
  description:
    'Loads a link and measures images a second, latency, and the processor time of its services. Without --address it ' +
    'starts the three services itself, in a process each. A load is IMAGESxINFLIGHT or IMAGESxINFLIGHTxSTREAMS: images a ' +
    'message, images of one stream in flight, streams.',
  fields: {
    load: option(
      z
        .array(z.string().regex(/^\d+x\d+(x\d+)?$/))
        .min(1)
        .default(['1x1', '1x32', '1x256', '8x256', '32x256', '1x4x64']),
      { description: 'Loads, one after the other, for example 1x1, 32x256, 1x4x64.' },
    ),
    rate: option(z.array(z.number().min(0.01).max(10_000_000)).default([]), {
      description:
        'Open loop: images are sent when they are due, so many a second over all streams, and latency counts from then ' +
        '(no coordinated omission); each rate with each load. Empty: closed loop, an image for each answered one.',
      unit: 'images/s',
    }),
    rounds: option(z.int().min(1).max(1000).default(1), {
      description: 'Times that every load is measured, in turn; the median by images a second counts.',
    }),
    seconds: option(z.number().min(0.05).max(86_400).default(3), {
      description: 'Time of one measurement.',
      unit: 's',
    }),
    warmSeconds: option(z.number().min(0).max(3600).default(1), {
      description: 'Time under the same load before each measurement.',
      unit: 's',
    }),
    connections: option(z.int().min(1).max(1024).default(1), { description: 'Connections for the streams to share.' }),
    readPauseMs: option(z.number().min(0).max(60_000).default(0), {
      description: 'A slow reader: each stream reads nothing for so long after each message of answers.',
      unit: 'ms',
    }),
    address: option(z.string().optional(), {
      description: 'Transmitter-encoder of a running link, or several of its processes; absent: a link is started.',
      placeholder: 'HOST:PORT[,...]',
    }),
    pid: option(z.array(z.int().min(1)).default([]), {
      description: 'With --address: processes whose processor time and memory count, with their children.',
    }),
    model: option(z.string().default(''), { description: "Published model; empty: the transmitter's default." }),
    k: option(z.int().min(0).max(1024).default(0), {
      description: "Channel uses an image; 0: the model's longest.",
      unit: 'channel uses',
    }),
    channel: option(z.enum(channelModelNames).default('rayleigh-block'), {
      description: 'Channel model, where the link is started here.',
    }),
    workers: option(z.int().min(1).max(64).default(1), {
      description: 'Worker processes of each service, where the link is started here.',
    }),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});

type LinkBenchConfig = ConfigOf<typeof definition>;

/** `semlink bench link` */
export async function benchLink(argv: readonly string[]): Promise<number> {
  const { config } = loadConfigOrExit(definition, argv);
  const stopped = interrupted();
  const started = config.address === undefined ? startBenchLink(config.channel, {}, config.workers) : undefined;
  const link = started && (await Promise.race([started, stopped]));
  if (typeof link === 'number') return link;
  try {
    const address = config.address ?? link!.services['transmitter-encoder'].address;
    const processes = link
      ? Object.fromEntries(Object.values(link.processes).map(({ role, process: { pid } }) => [role, pid!]))
      : Object.fromEntries(config.pid.map((pid) => [`process ${pid}`, pid]));
    const failed = link?.failed.then((why) => Promise.reject(new Error(why)));
    const run = measureAll(config, await targetAt(address, config, processes));
    const results = await Promise.race([run, stopped, ...(failed ? [failed] : [])]);
    if (typeof results === 'number') return results;
    if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify({ results }, null, 2)}\n`);
    process.stdout.write(linkReport(results));
    return results.some(({ errors }) => errors > 0) ? 1 : 0;
  } finally {
    await link?.stop();
  }
}

/** The three services on free ports, quiet. `coders`: options of the two that run a model. */
export function startBenchLink(channelModel: string, coders: Record<string, unknown> = {}, workers = 1) {
  // Streams stay where they are, so that a long run is one run.
  const free = {
    listen: '127.0.0.1:0',
    'metrics.listen': '127.0.0.1:0',
    logLevel: 'warn',
    'rpc.maxConnectionAgeMs': 0,
    workers,
  };
  return startProcesses({
    'transmitter-encoder': { ...free, ...coders },
    'channel-emulator': { ...free, 'channel.model': channelModel },
    'receiver-decoder': { ...free, ...coders },
  });
}

/** @throws SemlinkError NOT_FOUND or INVALID_ARGUMENT when the link has no such model, or it no such length */
export async function targetAt(
  address: string,
  { model, k }: Pick<LinkBenchConfig, 'model' | 'k'>,
  processes: Record<string, number>,
): Promise<BenchTarget> {
  const { channelUses, ...images } = await imagesOf(address, model);
  const length = k || channelUses.at(-1)!;
  if (!channelUses.includes(length)) {
    throw invalidArgument('k', length, `${images.modelVersion} has ${channelUses.join(', ')}`);
  }
  return { address, images, policy: { kind: 'fixed', channelUses: length }, processes };
}

async function measureAll(config: LinkBenchConfig, target: BenchTarget): Promise<LinkMeasurement[]> {
  const rates = config.rate.length > 0 ? config.rate : [undefined];
  const shapes = config.load.flatMap((load) => rates.map((rate) => ({ ...shapeOf(load, config.readPauseMs), rate })));
  const measured = shapes.map((): LinkMeasurement[] => []);
  const progress = new ProgressLine(process.stderr);
  const total = config.rounds * shapes.length;
  for (let round = 0; round < config.rounds; round++) {
    for (const [i, shape] of shapes.entries()) {
      const done = round * shapes.length + i;
      progress.update(`${done}/${total} measurements`, done / total);
      measured[i]!.push(await measureLink(target, shape, config));
    }
  }
  progress.clear();
  return measured.map(middle);
}

/** The measurement whose speed is the median; the lower one of two. */
export function middle(all: readonly LinkMeasurement[]): LinkMeasurement {
  return all.toSorted((a, b) => a.images_per_second - b.images_per_second)[(all.length - 1) >> 1]!;
}

/** `8x256` or `1x4x64`. */
export function shapeOf(load: string, readPauseMs = 0): LoadShape {
  const [perMessage, inFlight, streams = 1] = load.split('x').map(Number) as [number, number, number?];
  return { perMessage, inFlight, streams, readPauseMs };
}
