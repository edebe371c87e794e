import { z } from 'zod';
import { channelModelNames } from '../../../shared/channel/channel-config.js';
import { addressOption, defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { startLocalConsole } from '../../local/console.js';
import { startEmbedded } from '../../local/embedded.js';
import type { LocalLink } from '../../local/local-link.js';
import { type ServiceProcess, startProcesses } from '../../local/processes.js';
import type { Command } from '../command.js';
import { interrupted } from '../interruption.js';

const definition = defineConfig({
  name: 'up',
  usage: 'semlink up',
  description:
    'Starts transmitter-encoder, channel-emulator and receiver-decoder and keeps them running until Ctrl-C or SIGTERM. ' +
    'Every other option of a service is set by its environment variables: node dist/services/NAME/main.js --help.',
  fields: {
    processes: option(z.boolean().default(false), { description: 'One process a service instead of one for all.' }),
    workers: option(z.int().min(1).max(64).default(1), {
      description: 'With --processes: worker processes of each service, links spread over them.',
    }),
    transmitter: addressOption('127.0.0.1:50051', 'Where the transmitter-encoder listens.'),
    emulator: addressOption('127.0.0.1:50052', 'Where the channel-emulator listens.'),
    receiver: addressOption('127.0.0.1:50053', 'Where the receiver-decoder listens.'),
    channel: option(z.enum(channelModelNames).default('awgn'), { description: 'Channel model of every link.' }),
    snrDb: option(z.number().min(-40).max(60).default(10), { description: 'Average Es/N0.', unit: 'dB' }),
    seed: option(z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(1), { description: 'Seed of the channel.' }),
    console: option(z.boolean().default(false), {
      description: 'Also serves a web page of the link: watch it, change channel and policy. In a process of its own.',
    }),
    consoleListen: addressOption('127.0.0.1:8088', 'With --console: where the page is.'),
  },
  check: ({ processes, workers }) => (workers > 1 && !processes ? '--workers needs --processes.' : undefined),
});

export const up: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const stopped = interrupted();
    // Only said when asked for, so that each service's own environment counts otherwise.
    const workers = config.workers > 1 ? { workers: config.workers } : {};
    const starting = (config.processes ? startProcesses : startEmbedded)({
      'transmitter-encoder': { ...workers, listen: config.transmitter },
      'channel-emulator': {
        ...workers,
        listen: config.emulator,
        seed: config.seed,
        'channel.model': config.channel,
        'channel.snrDb': config.snrDb,
      },
      'receiver-decoder': { ...workers, listen: config.receiver },
    });
    const local = await Promise.race([starting, stopped]);
    // Told to stop before it had started: what has begun ends with this process.
    if (typeof local === 'number') return local;
    const web = config.console ? await consoleOf(local, config.consoleListen, stopped) : undefined;
    if (typeof web === 'number') {
      await local.stop();
      return web;
    }
    for (const { role, address, metricsAddress } of Object.values(local.services)) {
      const metrics = metricsAddress ? `  http://${metricsAddress}/metrics` : '';
      process.stdout.write(`${role.padEnd(20)} ${address}${metrics}\n`);
    }
    if (web) process.stdout.write(`${'console'.padEnd(20)} http://${web.address}\n`);
    const { 'transmitter-encoder': transmitter, 'channel-emulator': emulator } = local.services;
    const to = config.workers > 1 ? ` --to ${transmitter.address} --emulator ${emulator.address}` : '';
    process.stdout.write(`ready: try "semlink send${to}" in another terminal; Ctrl-C stops\n`);
    const why = await Promise.race([local.failed, stopped]);
    if (typeof why === 'string') process.stderr.write(`semlink up: ${why}; stopping the others\n`);
    // Before the link, so that what it has sent is answered.
    const consoleClean = (await web?.stop()) ?? 0;
    const clean = await local.stop();
    return clean && consoleClean === 0 && typeof why === 'number' ? 0 : 1;
  },
};

/** The console, or the exit status when it was told to stop; a console that ends by itself leaves the link alone. */
async function consoleOf(
  local: LocalLink,
  listen: string,
  stopped: Promise<number>,
): Promise<ServiceProcess<'console'> | number> {
  const starting = startLocalConsole(local, listen).catch(async (error: unknown) => {
    await local.stop();
    throw error;
  });
  const started = await Promise.race([starting, stopped]);
  if (typeof started === 'number') return started;
  void started.ended.then((status) => {
    if (status !== 0) process.stderr.write(`semlink up: console ended (${status}); the link goes on\n`);
  });
  return started;
}
