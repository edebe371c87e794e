import { z } from 'zod';
import { engineFields } from '../../shared/codec/engine-config.js';
import { type ConfigOf, defineConfig, group, option, targetOption } from '../../shared/config/index.js';
import { hopFields, serverFields } from '../../shared/rpc/server-config.js';
import { serviceTraceFields, telemetryFields } from '../../shared/telemetry/index.js';
import { workerFields } from '../../shared/workers/worker-config.js';

/** Every option of the transmitter-encoder. */
export const transmitterConfig = defineConfig({
  name: 'transmitter-encoder',
  description: 'Turns images into a few complex symbols, as many as the fed-back channel state asks for.',
  fields: {
    ...serverFields('127.0.0.1:50051'),
    ...workerFields(),
    ...telemetryFields('127.0.0.1:9464'),
    trace: group({
      ...serviceTraceFields(),
      sampleRatio: option(z.number().min(0).max(1).default(0), {
        description: 'Share of frames traced of clients that trace none themselves; those that do decide for theirs.',
      }),
    }),
    channel: targetOption('127.0.0.1:50052', 'Addresses of the channel-emulator, where symbols go.'),
    ...hopFields('channel-emulator'),
    ...engineFields({ maxBatch: 64, maxQueueBytes: 64 * 1024 * 1024, inlineFrames: 1 }),
    defaultModel: option(z.string().default(''), {
      description: 'Version of the model for frames that name none; empty: the default of the folder of models.',
    }),
    modelWeights: option(z.string().default(''), {
      description:
        'Models of links that name none, by weight: VERSION=WEIGHT,... spreads the links in this ratio, each for good on one ' +
        'model; empty: the default model.',
      placeholder: 'VERSION=WEIGHT,...',
    }),
    modelWeightsFile: option(z.string().default(''), {
      description: 'File with --model-weights, one to a line too; read again when it changes, without a restart.',
      placeholder: 'FILE',
    }),
    symbolFormat: option(z.enum(['sc16', 'fc32']).default('sc16'), {
      description: 'Form of the symbols on the wire: 16-bit integers with a scale, or 32-bit floats.',
    }),
    rate: group({
      policy: option(z.enum(['fixed', 'target-accuracy', 'budget']).default('target-accuracy'), {
        description: 'How the number of channel uses is chosen for links that were given no policy.',
      }),
      channelUses: option(z.int().min(1).max(1024).default(32), {
        description: 'fixed: this many channel uses an image; budget: at most this many.',
        unit: 'channel uses',
      }),
      targetAccuracy: option(z.number().min(0).max(1).default(0.85), {
        description: 'target-accuracy: the least length whose calibrated accuracy reaches this is sent.',
      }),
      hysteresisDb: option(z.number().min(0).max(20).default(1), {
        description: 'A shorter length must reach the target with so much less SNR before it is taken.',
        unit: 'dB',
      }),
      staleAfterMs: option(z.int().min(1).max(3_600_000).default(2_000), {
        description: 'Channel state older than this is not trusted: the longest length is sent.',
        unit: 'ms',
      }),
      unknownSnrDb: option(z.number().min(-40).max(60).default(5), {
        description: 'SNR that symbols are adapted to while the channel is not known.',
        unit: 'dB',
      }),
      maxLinks: option(z.int().min(1).max(10_000_000).default(100_000), {
        description: 'Links whose policy and channel state are remembered.',
        unit: 'links',
      }),
    }),
  },
  check: ({ modelWeights, modelWeightsFile }) =>
    modelWeights && modelWeightsFile ? 'Give --model-weights or --model-weights-file, not both.' : undefined,
});

export type TransmitterConfig = ConfigOf<typeof transmitterConfig>;
