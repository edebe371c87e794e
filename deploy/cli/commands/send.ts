import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { channelModelNames } from '../../../shared/channel/channel-config.js';
import { SemanticLink } from '../../../shared/client/link.js';
import { defineConfig, loadConfigOrExit, option, semlinkVersion, targetOption } from '../../../shared/config/index.js';
import { openCifar10 } from '../../../shared/data/cifar10.js';
import { openFolder } from '../../../shared/data/folder.js';
import { generatedImages } from '../../../shared/data/generated.js';
import type { ModelInfo } from '../../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { tlsFields } from '../../../shared/rpc/tls.js';
import { startTracing, traceGroup } from '../../../shared/telemetry/index.js';
import { ChannelControl } from '../channel-control.js';
import type { Command } from '../command.js';
import { paced } from '../paced.js';
import { policyFields, policyFrom } from '../policy-options.js';
import { ProgressLine } from '../progress-line.js';
import { sweep } from '../sweep.js';
import { sweepTable } from '../sweep-table.js';
import { Tally } from '../tally.js';

const definition = defineConfig({
  name: 'send',
  usage: 'semlink send',
  description: 'Sends images over a running link and says what came out. Exits 1 when an image got no result.',
  positionals: {
    usage: '[FOLDER]',
    description:
      'Folder of PNG, JPEG or WebP images (labels: labels.csv, labels.json or class folders); default: CIFAR-10.',
    min: 0,
    max: 1,
  },
  fields: {
    to: targetOption('127.0.0.1:50051', 'Addresses of the transmitter-encoder.'),
    emulator: targetOption('127.0.0.1:50052', 'Addresses of the channel-emulator: for --snr-db, and to note its seed.'),
    link: option(z.string().default('send'), { description: 'Name of the link.' }),
    model: option(z.string().default(''), { description: "Published model; empty: the transmitter's default." }),
    split: option(z.enum(['test', 'holdout', 'train', 'generated']).default('test'), {
      description: 'Which CIFAR-10 images; generated: 10,000 of noise instead, which need no data set.',
    }),
    images: option(z.int().min(1).optional(), { description: 'Images a point of the sweep; default: all there are.' }),
    recursive: option(z.boolean().default(false), { description: 'Also images in sub-folders.' }),
    labels: option(z.string().optional(), { description: 'Label file of the folder.', placeholder: 'FILE' }),
    channel: option(z.enum(channelModelNames).default('rayleigh-block'), {
      description: 'Channel model of the sweep; block Rayleigh with one gain a frame.',
    }),
    snrDb: option(z.array(z.number().min(-40).max(60)).default([]), {
      description: 'Sweep: sets the channel of the link to each average Es/N0 in turn; none: the channel as it is.',
      unit: 'dB',
    }),
    ...policyFields('transmitter'),
    inFlight: option(z.int().min(1).max(65_536).default(256), { description: 'Images sent and not answered at most.' }),
    rate: option(z.number().min(0).max(1e6).default(0), {
      description: 'Images a second at most; 0: as many as the link takes.',
      unit: 'images/s',
    }),
    timeoutMs: option(z.int().min(1).max(3_600_000).default(30_000), {
      description: 'An image without an answer for so long counts as an error.',
      unit: 'ms',
    }),
    reconnectWaitMs: option(z.int().min(0).max(600_000).default(2_000), {
      description: 'How long images wait for a transmitter that is down.',
      unit: 'ms',
    }),
    json: option(z.string().optional(), {
      description: 'Write a summary to this file; - : to standard output, in place of the table.',
      placeholder: 'FILE|-',
    }),
    ...tlsFields(),
    trace: traceGroup(),
  },
});

export const send: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(definition, argv);
    const tracing = await startTracing({ serviceName: 'semlink', endpoint: config.trace.otlpEndpoint });
    const progress = new ProgressLine(process.stderr);
    const link = new SemanticLink({
      address: config.to,
      linkId: config.link,
      modelVersion: config.model || undefined,
      policy: policyFrom(config),
      tls: config.tls,
      maxInFlight: config.inFlight,
      timeoutMs: config.timeoutMs,
      reconnectWaitMs: config.reconnectWaitMs,
      ...(tracing.enabled && { traceSampleRatio: config.trace.sampleRatio }),
      onState: (state, detail) => {
        if (state === 'open') return;
        progress.clear();
        process.stderr.write(`semlink send: ${detail}\n`);
      },
    });
    const model = chosenModel(await link.listModels(), config.model);
    const source = positionals[0]
      ? await openFolder(positionals[0], {
          width: model.width,
          height: model.height,
          recursive: config.recursive,
          labelFile: config.labels,
          classNames: model.classNames,
        })
      : config.split === 'generated'
        ? generatedImages({ width: model.width, height: model.height, count: 10_000 })
        : await openCifar10(config.split);
    const control = new ChannelControl(config.emulator, config.tls);
    const seed = await control.seed(config.link);
    const tally = new Tally();
    const images = Math.min(config.images ?? source.count, source.count);
    await sweep(
      { link, control, source: config.rate > 0 ? paced(source, config.rate) : source },
      { linkId: config.link, channelModel: config.channel, snrDb: config.snrDb, images, loop: false },
      tally,
      progress,
    );
    progress.clear();
    await link.close();
    control.close();
    await tracing.stop(2_000);

    const summary = tally.summary(seed, { semlink: semlinkVersion(), model: model.version });
    if (config.json === '-') {
      process.stdout.write(`${JSON.stringify(summary)}\n`);
      return summary.errors > 0 ? 1 : 0;
    }
    if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify(summary, null, 2)}\n`);
    process.stdout.write(`${source.name}: ${summary.images_sent} images over ${model.version}\n\n${sweepTable(tally)}`);
    for (const line of tally.errorLines()) process.stdout.write(line);
    return summary.errors > 0 ? 1 : 0;
  },
};

function chosenModel(models: ModelInfo[], version: string): ModelInfo {
  const model = models.find((one) => (version ? one.version === version : one.default));
  if (model) return model;
  throw new Error(`the transmitter has no model "${version}"; it has ${models.map((one) => one.version).join(', ')}`);
}
