import { ServedModels } from '../../shared/codec/served-models.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import { streamAgeOptions, streamOptions } from '../../shared/rpc/server-config.js';
import { Engine } from '../../shared/tensor/engine.js';
import type { ReceiverConfig } from './config.js';
import { ROLE, receiverService } from './service.js';
import { symbolCodec } from './symbol-codec.js';

/**
 * Starts a receiver-decoder in this process, TensorFlow in a thread of its own.
 *
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when an address is taken, a model is damaged or TensorFlow is not set up
 */
export function startReceiverDecoder(
  config: ReceiverConfig,
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
      const models = await ServedModels.load(engine, config.models, '', symbolCodec, {
        ...config.engine,
        onBatch: (frames, closedBy) => telemetry.metrics.observeBatch(frames, closedBy),
      }).catch(async (error: unknown) => {
        await engine.close();
        throw error;
      });
      telemetry.metrics.trackQueue('decode', () => models.queueBytes);
      const stream = { ...streamOptions(config), ...streamAgeOptions(config) };
      return {
        services: [receiverService({ models, telemetry, drains, stream })],
        notReady: () => failure?.message,
        stop: () => engine.close(),
      };
    },
  });
}
