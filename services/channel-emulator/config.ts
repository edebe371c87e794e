import { z } from 'zod';
import { channelOptions } from '../../shared/channel/channel-options.js';
import { sigmfTypes } from '../../shared/channel/sigmf.js';
import { HOST_PORT_RANGE, hostPort } from '../../shared/config/address.js';
import { type ConfigOf, defineConfig, group, option, targetOption } from '../../shared/config/index.js';
import { hopFields, serverFields } from '../../shared/rpc/server-config.js';
import { telemetryFields } from '../../shared/telemetry/index.js';
import { workerFields } from '../../shared/workers/worker-config.js';
import { linkOptions, linkOptionsProblem } from './link-options.js';
import { recordedSides } from './recording/air-recorder.js';

/** Every option of the channel-emulator. */
export const channelEmulatorConfig = defineConfig({
  name: 'channel-emulator',
  description:
    'Does to symbols what a radio channel does: fading and noise, the same for the same seed on every machine.',
  fields: {
    ...serverFields('127.0.0.1:50052'),
    ...workerFields(),
    ...telemetryFields('127.0.0.1:9465'),
    receiver: targetOption('127.0.0.1:50053', 'Addresses of the receiver-decoder, where received symbols go.'),
    ...hopFields('receiver-decoder'),
    seed: option(z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(1), {
      description: 'With the link id and the position it fixes all fading and noise of a link.',
    }),
    channel: group(channelOptions),
    ...linkOptions,
    adminListen: option(z.union([z.literal('off'), hostPort()]).default('off'), {
      description:
        'Where to serve control of channels alone; listen then carries symbols only. off: listen serves both.',
      placeholder: 'HOST:PORT|off',
      range: `off, or ${HOST_PORT_RANGE}`,
    }),
    scenario: option(z.string().default(''), {
      description: 'Scenario file that runs from the start; semlink channel --help tells its form.',
      placeholder: 'FILE',
    }),
    record: group({
      folder: option(z.string().default(''), {
        description: 'Records the air as SigMF into this folder; empty: not.',
        placeholder: 'FOLDER',
      }),
      side: option(z.enum(recordedSides).default('received'), {
        description: 'Symbols after the air, before it, or both in files of their own.',
      }),
      type: option(z.enum(sigmfTypes).default('cf32_le'), { description: 'How samples are written.' }),
      fullScale: option(z.number().min(0.001).max(1e6).default(8), {
        description: 'ci16_le: the amplitude that 32767 stands for; symbols have a mean power of 1.',
      }),
      fileBytes: option(
        z
          .int()
          .min(4096)
          .max(2 ** 40)
          .default(64 * 2 ** 20),
        { description: 'A recording goes on in new files after so many bytes of samples.', unit: 'bytes' },
      ),
      limitBytes: option(
        z
          .int()
          .min(4096)
          .max(2 ** 50)
          .default(2 ** 30),
        { description: 'Recording ends after so many bytes of samples.', unit: 'bytes' },
      ),
    }),
    maxLinks: option(z.int().min(1).max(10_000_000).default(100_000), {
      description:
        'Links whose position is remembered, and links that can have a channel of their own. A link unused for longest is forgotten first and starts at position 0 when it comes again.',
      unit: 'links',
    }),
  },
  check: linkOptionsProblem,
});

export type ChannelEmulatorConfig = ConfigOf<typeof channelEmulatorConfig>;
