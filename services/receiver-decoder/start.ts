import { runModels } from '../../shared/codec/engine-config.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import { streamAgeOptions, streamOptions } from '../../shared/rpc/server-config.js';
import type { ReceiverConfig } from './config.js';
import { Recheck } from './recheck.js';
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
      const running = await runModels(config, symbolCodec, telemetry, 'decode');
      const recheck = new Recheck(telemetry.metrics, config.recheck.share);
      const stream = { ...streamOptions(config), ...streamAgeOptions(config) };
      return {
        services: [receiverService({ models: running.models, telemetry, drains, stream, recheck })],
        notReady: () => running.failure(),
        stop: () => running.close(),
      };
    },
  });
}
