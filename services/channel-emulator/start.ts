import { settingsFromOptions } from '../../shared/channel/channel-options.js';
import { ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import { hopOptions, streamAgeOptions, streamOptions } from '../../shared/rpc/server-config.js';
import type { ChannelEmulatorConfig } from './config.js';
import { Links } from './links.js';
import { emulatorService, ROLE } from './service.js';

/**
 * Starts a channel-emulator in this process. It is ready whether or not the receiver-decoder is there: while it is not,
 * frames are answered UNAVAILABLE.
 *
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when an address is taken
 */
export function startChannelEmulator(
  config: ChannelEmulatorConfig,
  options: { processMetrics?: boolean } = {},
): Promise<RunningService> {
  return startService({
    role: ROLE,
    config,
    ...options,
    parts: async ({ telemetry, drains }) => {
      const defaultChannel = await settingsFromOptions(config.channel);
      const links = new Links({ seed: BigInt(config.seed), defaultChannel, maxLinks: config.maxLinks });
      const receiver = createRpcClient(ReceiverDecoderService, {
        address: config.receiver,
        maxMessageBytes: config.rpc.maxMessageBytes,
      });
      const service = emulatorService({
        links,
        receiver,
        telemetry,
        drains,
        stream: { ...streamOptions(config), ...streamAgeOptions(config) },
        hop: hopOptions(config),
      });
      return {
        services: [service],
        stop: async () => receiver.close(),
      };
    },
  });
}
