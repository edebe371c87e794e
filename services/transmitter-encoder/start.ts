import { runModels } from '../../shared/codec/engine-config.js';
import type { RatePolicy } from '../../shared/codec/rate-control.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { SymbolFormat } from '../../shared/gen/semlink/v1/frame_pb.js';
import { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import { hopOptions, streamAgeOptions, streamOptions } from '../../shared/rpc/server-config.js';
import { clientTls } from '../../shared/rpc/tls.js';
import type { TransmitterConfig } from './config.js';
import { imageCodec } from './image-codec.js';
import { LinkTable } from './links.js';
import { ModelChoice } from './model-choice.js';
import { ROLE, transmitterService } from './service.js';

/**
 * Starts a transmitter-encoder in this process, TensorFlow in a thread of its own.
 *
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when an address is taken, a model is damaged or TensorFlow is not set up
 */
export function startTransmitterEncoder(
  config: TransmitterConfig,
  options: { processMetrics?: boolean } = {},
): Promise<RunningService> {
  return startService({
    role: ROLE,
    config,
    ...options,
    parts: async ({ telemetry, drains }) => {
      const running = await runModels(config, imageCodec, telemetry, 'encode', config.defaultModel);
      const choice = new ModelChoice({
        versions: running.models.all().map(({ manifest }) => manifest.version),
        defaultVersion: running.models.defaultVersion,
        say: (sentence, problem) => telemetry.logger[problem ? 'error' : 'info'](sentence),
      });
      try {
        if (config.modelWeightsFile) await choice.follow(config.modelWeightsFile);
        else choice.set(config.modelWeights);
      } catch (error) {
        await running.close();
        throw error;
      }
      const links = new LinkTable({ ...config.rate, defaultPolicy: policyOf(config.rate) });
      const channel = new PinnedClients(ChannelEmulatorService, {
        role: 'channel-emulator',
        address: config.channel,
        connectAhead: true,
        ...clientTls(config.tls),
      });
      return {
        services: [
          transmitterService({
            models: running.models,
            choice,
            links,
            channel,
            telemetry,
            drains,
            symbolFormat: config.symbolFormat === 'sc16' ? SymbolFormat.SC16 : SymbolFormat.FC32,
            stream: { ...streamOptions(config), ...streamAgeOptions(config) },
            hop: hopOptions(config),
          }),
        ],
        notReady: () => running.failure(),
        stop: async () => {
          channel.close();
          choice.close();
          await running.close();
        },
      };
    },
  });
}

function policyOf(rate: TransmitterConfig['rate']): RatePolicy {
  switch (rate.policy) {
    case 'fixed':
      return { kind: 'fixed', channelUses: rate.channelUses };
    case 'target-accuracy':
      return { kind: 'target-accuracy', accuracy: rate.targetAccuracy };
    case 'budget':
      return { kind: 'budget', maxChannelUses: rate.channelUses };
  }
}
