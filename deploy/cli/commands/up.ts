import { z } from 'zod';
import { channelModelNames } from '../../../shared/channel/channel-config.js';
import { addressOption, defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { startEmbedded } from '../../local/embedded.js';
import { startProcesses } from '../../local/processes.js';
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
    for (const { role, address, metricsAddress } of Object.values(local.services)) {
      const metrics = metricsAddress ? `  http://${metricsAddress}/metrics` : '';
      process.stdout.write(`${role.padEnd(20)} ${address}${metrics}\n`);
    }
    const { 'transmitter-encoder': transmitter, 'channel-emulator': emulator } = local.services;
    const to = config.workers > 1 ? ` --to ${transmitter.address} --emulator ${emulator.address}` : '';
    process.stdout.write(`ready: try "semlink send${to}" in another terminal; Ctrl-C stops\n`);
    const why = await Promise.race([local.failed, stopped]);
    if (typeof why === 'string') process.stderr.write(`semlink up: ${why}; stopping the others\n`);
    const clean = await local.stop();
    return clean && typeof why === 'number' ? 0 : 1;
  },
};
