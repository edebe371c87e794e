import { z } from 'zod';
import { type ConfigOf, defineConfig, group, option } from '../../shared/config/index.js';
import { serverFields } from '../../shared/rpc/server-config.js';
import { telemetryFields } from '../../shared/telemetry/index.js';

/** Every option of the receiver-decoder. */
export const receiverConfig = defineConfig({
  name: 'receiver-decoder',
  description: 'Equalises received symbols, classifies the image they stand for, and feeds channel state back.',
  fields: {
    ...serverFields('127.0.0.1:50053'),
    ...telemetryFields('127.0.0.1:9466'),
    models: option(z.string().default('shared/models'), {
      description: 'Folder of published models.',
      placeholder: 'FOLDER',
    }),
    engine: group({
      threads: option(z.int().min(1).max(256).default(1), { description: 'TensorFlow threads.' }),
      maxBatch: option(z.int().min(1).max(4096).default(128), { description: 'Most frames of one session call.' }),
      maxQueueBytes: option(
        z
          .int()
          .min(1)
          .default(16 * 1024 * 1024),
        {
          description: 'Most symbols waiting to be decoded; frames beyond are answered RESOURCE_EXHAUSTED.',
          unit: 'bytes',
        },
      ),
    }),
  },
});

export type ReceiverConfig = ConfigOf<typeof receiverConfig>;
