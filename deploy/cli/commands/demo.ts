import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { startEmbedded } from '../../../deploy/local/embedded.js';
import type { LocalLink, Overrides } from '../../../deploy/local/local-link.js';
import { startProcesses } from '../../../deploy/local/processes.js';
import { channelModelNames } from '../../../shared/channel/channel-config.js';
import { SemanticLink } from '../../../shared/client/link.js';
import { type ConfigOf, defineConfig, loadConfigOrExit, option, semlinkVersion } from '../../../shared/config/index.js';
import { openCifar10 } from '../../../shared/data/cifar10.js';
import type { ImageSource } from '../../../shared/data/source.js';
import { startTracing, traceGroup } from '../../../shared/telemetry/index.js';
import { ChannelControl } from '../channel-control.js';
import type { Command } from '../command.js';
import { interrupted } from '../interruption.js';
import { policyFields, policyFrom } from '../policy-options.js';
import { ProgressLine } from '../progress-line.js';
import { sweep } from '../sweep.js';
import { percent, sweepTable } from '../sweep-table.js';
import { Tally } from '../tally.js';

const LINK = 'demo';

const definition = defineConfig({
  name: 'demo',
  usage: 'semlink demo',
  description:
    'Starts the whole link on this machine, sends CIFAR-10 test images over it at one SNR after the other, and shows ' +
    'accuracy, message length and latency as they come.',
  fields: {
    snrDb: option(
      z.array(z.number().min(-40).max(60)).min(1).default([-6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
      {
        description: 'Average Es/N0 of each point.',
        unit: 'dB',
      },
    ),
    channel: option(z.enum(channelModelNames).default('rayleigh-block'), {
      description: 'Channel model; block Rayleigh with one gain a frame.',
    }),
    images: option(z.int().min(1).max(1_000_000).default(10_000), {
      description: 'Images a point; more than 10,000 start over.',
    }),
    ...policyFields('target-accuracy'),
    inFlight: option(z.int().min(1).max(65_536).default(128), { description: 'Images sent and not answered at most.' }),
    processes: option(z.boolean().default(false), { description: 'One process a service instead of one for all.' }),
    seed: option(z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(1), { description: 'Seed of the channel.' }),
    json: option(z.string().optional(), { description: 'Write a summary to this file.', placeholder: 'FILE' }),
    trace: traceGroup(),
  },
});

type DemoConfig = ConfigOf<typeof definition>;

export const demo: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const tracing = await startTracing({ serviceName: 'semlink', endpoint: config.trace.otlpEndpoint });
    const source = await openCifar10('test');
    const stopped = interrupted();
    const starting = (config.processes ? startProcesses : startEmbedded)(overridesFor(config.seed));
    const local = await Promise.race([starting, stopped]);
    if (typeof local === 'number') return local;
    try {
      const failed = local.failed.then((why) => Promise.reject(new Error(why)));
      return await Promise.race([show(local, source, config, tracing.enabled), failed, stopped]);
    } finally {
      // Whatever happened, no service outlives the demo.
      await local.stop();
      await tracing.stop(2_000);
    }
  },
};

/** Sends the images and shows what comes back; the exit status. */
async function show(local: LocalLink, source: ImageSource, config: DemoConfig, traced: boolean): Promise<number> {
  const link = new SemanticLink({
    address: local.services['transmitter-encoder'].address,
    linkId: LINK,
    policy: policyFrom(config),
    maxInFlight: config.inFlight,
    ...(traced && { traceSampleRatio: config.trace.sampleRatio }),
  });
  const control = new ChannelControl(local.services['channel-emulator'].address);
  const model = (await link.listModels()).find((one) => one.default)!;
  process.stdout.write(introduction(local, model.version, config));

  const tally = new Tally();
  const progress = new ProgressLine(process.stderr);
  await sweep(
    { link, control, source },
    { linkId: LINK, channelModel: config.channel, snrDb: config.snrDb, images: config.images, loop: true },
    tally,
    progress,
    (snrDb) => {
      progress.clear();
      const at = tally.at(snrDb);
      const k = at.meanChannelUses;
      process.stdout.write(
        `${String(snrDb).padStart(4)} dB  ${bar(at.accuracy ?? 0)} ${percent(at.accuracy)} % right  ` +
          `${k.toFixed(1).padStart(5)} symbols an image  ${tally.imagesPerSecond.toFixed(0)} images/s\n`,
      );
    },
  );
  progress.clear();
  await link.close();
  control.close();

  const summary = tally.summary(config.seed, { semlink: semlinkVersion(), model: model.version });
  if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify(summary, null, 2)}\n`);
  process.stdout.write(`\n${sweepTable(tally)}\n${conclusion(tally, config.snrDb)}\n`);
  for (const line of tally.errorLines()) process.stdout.write(line);
  return summary.errors > 0 ? 1 : 0;
}

/** Free ports for gRPC, so that a demo never collides with anything; /metrics likewise. */
function overridesFor(seed: number): Overrides {
  const free = { listen: '127.0.0.1:0', 'metrics.listen': '127.0.0.1:0', logLevel: 'warn' };
  return {
    'transmitter-encoder': free,
    'channel-emulator': { ...free, seed },
    'receiver-decoder': free,
  };
}

function introduction(
  local: LocalLink,
  model: string,
  config: { channel: string; images: number; policy: string; target: number; k: number },
): string {
  const goal =
    config.policy === 'target-accuracy' ? `, as few symbols as reach ${percent(config.target)} % accuracy` : '';
  const services = Object.values(local.services).map(
    ({ role, address, metricsAddress }) => `  ${role.padEnd(20)} ${address}  http://${metricsAddress}/metrics`,
  );
  return [
    `CIFAR-10 test images (32 x 32, 3,072 bytes each) through ${model} over ${config.channel}${goal}.`,
    ...services,
    '',
    '',
  ].join('\n');
}

function bar(share: number): string {
  const full = Math.round(30 * share);
  return '#'.repeat(full) + '.'.repeat(30 - full);
}

/** One sentence on what was seen. */
function conclusion(tally: Tally, snrDb: readonly number[]): string {
  const low = tally.at(Math.min(...snrDb));
  const high = tally.at(Math.max(...snrDb));
  const { all } = tally;
  const bytes = all.received > 0 ? all.payloadBytes / all.received : 0;
  return (
    `From ${Math.min(...snrDb)} to ${Math.max(...snrDb)} dB the transmitter went from ${low.meanChannelUses.toFixed(1)} to ` +
    `${high.meanChannelUses.toFixed(1)} symbols an image, and ${percent(low.accuracy)} to ${percent(high.accuracy)} % of the ` +
    `images were classified right; a message took ${bytes.toFixed(0)} bytes on average where the image has 3,072.`
  );
}
