import type { RatePolicy } from '../../shared/codec/rate-control.js';
import { ServedModels } from '../../shared/codec/served-models.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { SymbolFormat } from '../../shared/gen/semlink/v1/frame_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import { streamAgeOptions, streamOptions } from '../../shared/rpc/server-config.js';
import { Engine } from '../../shared/tensor/engine.js';
import type { TransmitterConfig } from './config.js';
import { imageCodec } from './image-codec.js';
import { LinkTable } from './links.js';
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
      const engine = new Engine({ threads: config.engine.threads });
      let failure: Error | undefined;
      engine.onFailure = (error) => {
        failure = error;
      };
      const models = await ServedModels.load(engine, config.models, config.defaultModel, imageCodec, {
        ...config.engine,
        onBatch: (frames, closedBy) => telemetry.metrics.observeBatch(frames, closedBy),
      }).catch(async (error: unknown) => {
        await engine.close();
        throw error;
      });
      telemetry.metrics.trackQueue('encode', () => models.queueBytes);
      const links = new LinkTable({ ...config.rate, defaultPolicy: policyOf(config.rate) });
      const channel = createRpcClient(ChannelEmulatorService, { address: config.channel });
      return {
        services: [
          transmitterService({
            models,
            links,
            channel,
            telemetry,
            drains,
            symbolFormat: config.symbolFormat === 'sc16' ? SymbolFormat.SC16 : SymbolFormat.FC32,
            stream: { ...streamOptions(config), ...streamAgeOptions(config) },
            hop: {
              ...streamOptions(config),
              frameTimeoutMs: config.frameTimeoutMs,
              reconnectWaitMs: config.reconnectWaitMs,
            },
          }),
        ],
        notReady: () => failure?.message,
        stop: async () => {
          channel.close();
          await engine.close();
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
