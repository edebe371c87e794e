import { engineFields } from '../../shared/codec/engine-config.js';
import { type ConfigOf, defineConfig } from '../../shared/config/index.js';
import { serverFields } from '../../shared/rpc/server-config.js';
import { telemetryFields } from '../../shared/telemetry/index.js';

/** Every option of the receiver-decoder. */
export const receiverConfig = defineConfig({
  name: 'receiver-decoder',
  description: 'Equalises received symbols, classifies the image they stand for, and feeds channel state back.',
  fields: {
    ...serverFields('127.0.0.1:50053'),
    ...telemetryFields('127.0.0.1:9466'),
    ...engineFields({ maxBatch: 128, maxQueueBytes: 16 * 1024 * 1024, inlineFrames: 128 }),
  },
});

export type ReceiverConfig = ConfigOf<typeof receiverConfig>;
