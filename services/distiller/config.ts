import { z } from 'zod';
import { SHIPPED_MODELS } from '../../shared/codec/model-folder.js';
import { type ConfigOf, defineConfig, option } from '../../shared/config/index.js';
import { s3Group } from '../../shared/knowledge/s3-options.js';
import { tlsFields } from '../../shared/rpc/tls.js';
import { jobTelemetryFields } from '../../shared/telemetry/index.js';

/** Every option of a training run, for `semlink train` and the distiller job. */
export const distillerConfig = defineConfig({
  name: 'distiller',
  usage: 'semlink train',
  description:
    'Trains an encoder-decoder pair on CIFAR-10 with the channel in the loop, calibrates it and publishes it. ' +
    'Stops and resumes: the same options continue from the last checkpoint, to the same result.',
  fields: {
    name: option(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/)
        .optional(),
      {
        description:
          'Name under which the model is published; default: SIZE-cifar10-1 from labels, SIZE-cifar10-2 from a teacher.',
      },
    ),
    models: option(z.string().default(SHIPPED_MODELS), {
      description: 'Folder of published models, into which the new one goes.',
      placeholder: 'FOLDER',
    }),
    publishTo: option(z.string().min(1).optional(), {
      description:
        'Also stores the model there, where "semlink models pull" finds it: a folder, or s3://bucket/prefix.',
      placeholder: 'URL',
    }),
    work: option(z.string().default('.training'), {
      description: 'Folder for checkpoints and the training record; one sub-folder a version.',
      placeholder: 'FOLDER',
    }),
    fresh: option(z.boolean().default(false), { description: 'Throw an existing checkpoint away and begin anew.' }),
    startFrom: option(z.string().min(1).optional(), {
      description:
        'Published model to begin from, by its name in --models or among the shipped ones, or by its folder; of the same ' +
        'size and longest message. The optimiser and the auxiliary classifier begin anew; none: random weights.',
      placeholder: 'NAME|FOLDER',
    }),
    seed: option(
      z
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .default(1),
      {
        description: 'Seed of initial weights, image order, augmentation, channels and noise.',
      },
    ),
    epochs: option(z.int().min(1).max(10_000).default(100), {
      description: 'Passes over the training images.',
    }),
    images: option(z.int().min(500).max(45_000).default(45_000), {
      description: 'Training images used: the first so many of the 45,000.',
    }),
    batchSize: option(z.int().min(8).max(4096).default(128), { description: 'Images a step.' }),
    learningRate: option(z.number().positive().max(1).default(0.01), { description: 'Peak learning rate of AdamW.' }),
    weightDecay: option(z.number().min(0).max(10).default(0.02), { description: 'Decoupled weight decay.' }),
    labelSmoothing: option(z.number().min(0).max(0.5).default(0.05), {
      description: 'Probability spread evenly over the classes in the training target.',
    }),
    cutMix: option(z.number().min(0).max(1).default(0), {
      description:
        'Share of images of a batch that get a square of another one pasted in (CutMix); label and teacher are mixed alike.',
    }),
    mixup: option(z.number().min(0).max(1).default(0), {
      description: 'Share of images of a batch that are blended with another one (mixup); with --cut-mix at most 1.',
    }),
    auxiliaryWeight: option(z.number().min(0).max(10).default(2), {
      description: 'Weight of the auxiliary classifier on the encoder, which is not published.',
    }),
    averageDecay: option(z.number().min(0).max(0.99999).default(0.999), {
      description: 'Decay a step of the moving average of the weights, which is what is published.',
    }),
    snrLowDb: option(z.number().min(-30).max(40).default(-12), {
      description: 'Lowest average Es/N0 trained on.',
      unit: 'dB',
    }),
    snrHighDb: option(z.number().min(-30).max(40).default(20), {
      description: 'Highest average Es/N0 trained on.',
      unit: 'dB',
    }),
    rayleighShare: option(z.number().min(0).max(1).default(0.5), {
      description: 'Share of images that see block Rayleigh fading; the others see AWGN.',
    }),
    channelDraws: option(z.int().min(1).max(64).default(2), {
      description: 'Channels (SNR, fading, length, noise) that each image of a batch is sent over.',
    }),
    channelUses: option(z.array(z.int().min(1).max(1024)).min(1).default([2, 4, 8, 16, 32, 64, 128]), {
      description: 'Message lengths k, ascending; each image of a batch draws one.',
      unit: 'channel uses',
    }),
    size: option(z.enum(['s', 'm', 'l']).default('m'), {
      description: 'Size of the codec: encoder of at most 0.1, 0.35 or 1 M parameters and 8, 25 or 90 MFLOP.',
    }),
    withoutAdaptation: option(z.boolean().default(false), {
      description: 'Leave the channel adaptive module out: for comparison only.',
    }),
    knowledge: option(z.string().optional(), {
      description:
        'What a teacher said about the images: a folder, s3://bucket/prefix, or grpc://HOST:PORT[,HOST:PORT...]/SET of a teacher-cache; ' +
        'none: training on labels.',
      placeholder: 'FOLDER|URL',
    }),
    s3: s3Group(),
    ...tlsFields(),
    distillation: option(z.number().min(0).max(1).default(0.9), {
      description: "Weight of the teacher's answer against the label's; only with --knowledge.",
    }),
    temperature: option(z.number().min(0.1).max(100).default(2), {
      description: 'Temperature of teacher and student; only with --knowledge.',
    }),
    bottleneck: option(z.number().min(0).max(10).default(0), {
      description: 'Weight of the information bound in the loss; needs --group-size above 1.',
      unit: 'nats a bit',
    }),
    groupSize: option(z.int().min(1).max(4096).default(1), {
      description: 'Images of a batch that share average SNR and length, over which the information bound is taken.',
    }),
    precision: option(z.enum(['float32', 'bfloat16']).default('float32'), {
      description:
        'Number format in which convolutions multiply while training; bfloat16 is faster where the processor has it.',
    }),
    lookEpochs: option(z.int().min(1).max(10_000).default(4), {
      description: 'Looks at the held-out images come after so many epochs each, and after the last.',
      unit: 'epochs',
    }),
    patience: option(z.int().min(0).max(1000).default(0), {
      description:
        'Stop when so many looks at the held-out images have brought nothing, and publish the best; ' +
        '0: train to the end and publish that.',
    }),
    calibrationImages: option(z.int().min(100).max(5000).default(5000), {
      description: 'Held-out images that the model is calibrated on.',
    }),
    threads: option(z.int().min(1).max(256).default(1), {
      description: 'TensorFlow threads. Another number gives a slightly different model from the same seed.',
    }),
    ...jobTelemetryFields(),
  },
  check: (config) => {
    if (config.snrLowDb > config.snrHighDb) return '--snr-low-db must not be above --snr-high-db.';
    if (config.cutMix + config.mixup > 1) return '--cut-mix and --mixup must not be more than 1 together.';
    if (config.batchSize % config.groupSize !== 0) return '--group-size must divide --batch-size.';
    if (config.bottleneck > 0 && config.groupSize === 1) return '--bottleneck needs --group-size above 1.';
    const ascending = config.channelUses.every((k, i, all) => i === 0 || k > all[i - 1]!);
    return ascending ? undefined : '--channel-uses must be ascending, without repeats.';
  },
});

export type DistillerConfig = ConfigOf<typeof distillerConfig>;

/** The name under which a run's model is published. */
export function modelName({ name, size, knowledge }: Pick<DistillerConfig, 'name' | 'size' | 'knowledge'>): string {
  return name ?? `${size}-cifar10-${knowledge ? 2 : 1}`;
}

/** The options that a result depends on: not what it is called, where things lie or go, or who is told. */
export function optionsOfResult(config: DistillerConfig) {
  const {
    name: _n,
    models: _m,
    publishTo: _p,
    work: _w,
    fresh: _f,
    knowledge: _k,
    metrics: _l,
    s3: _s,
    tls: _t,
    ...options
  } = config;
  return options;
}
