import { z } from 'zod';
import { channelOptions } from '../../shared/channel/channel-options.js';
import { addressOption, type ConfigOf, defineConfig, group, option } from '../../shared/config/index.js';
import { hopFields, serverFields } from '../../shared/rpc/server-config.js';
import { telemetryFields } from '../../shared/telemetry/index.js';

/** Every option of the channel-emulator. */
export const channelEmulatorConfig = defineConfig({
  name: 'channel-emulator',
  description:
    'Does to symbols what a radio channel does: fading and noise, the same for the same seed on every machine.',
  fields: {
    ...serverFields('127.0.0.1:50052'),
    ...telemetryFields('127.0.0.1:9465'),
    receiver: addressOption('127.0.0.1:50053', 'Address of the receiver-decoder, where received symbols go.'),
    ...hopFields('receiver-decoder'),
    seed: option(z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(1), {
      description: 'With the link id and the position it fixes all fading and noise of a link.',
    }),
    channel: group(channelOptions),
    maxLinks: option(z.int().min(1).max(10_000_000).default(100_000), {
      description:
        'Links whose position is remembered, and links that can have a channel of their own. A link unused for longest is forgotten first and starts at position 0 when it comes again.',
      unit: 'links',
    }),
  },
});

export type ChannelEmulatorConfig = ConfigOf<typeof channelEmulatorConfig>;
