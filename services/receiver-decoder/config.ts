import { z } from 'zod';
import { engineFields } from '../../shared/codec/engine-config.js';
import { type ConfigOf, defineConfig, group, option } from '../../shared/config/index.js';
import { serverFields } from '../../shared/rpc/server-config.js';
import { telemetryFields } from '../../shared/telemetry/index.js';
import { workerFields } from '../../shared/workers/worker-config.js';

/** Every option of the receiver-decoder. */
export const receiverConfig = defineConfig({
  name: 'receiver-decoder',
  description: 'Equalises received symbols, classifies the image they stand for, and feeds channel state back.',
  fields: {
    ...serverFields('127.0.0.1:50053'),
    ...workerFields(),
    ...telemetryFields('127.0.0.1:9466'),
    ...engineFields({ maxBatch: 128, maxQueueBytes: 16 * 1024 * 1024, inlineFrames: 128 }),
    recheck: group({
      share: option(z.number().min(0).max(1).default(0.01), {
        description:
          'Share of frames that are decoded a second time as if the channel were 3 dB worse, for the metrics to say how ' +
          'often the answer changes; 0: none.',
      }),
    }),
  },
});

export type ReceiverConfig = ConfigOf<typeof receiverConfig>;
