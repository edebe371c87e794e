import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { simulatedModelNames, typicalSettings } from '../../../shared/channel/channel-config.js';
import { measureLink } from '../../../shared/codec/link-evaluation.js';
import { chooseModel, openModels, SHIPPED_MODELS } from '../../../shared/codec/model-folder.js';
import { powerConstraints } from '../../../shared/codec/power-constraint.js';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';
import { firstImages, publishedPair } from '../published-pair.js';
import { meanAndDeviation } from '../statistics.js';
import { formatTable } from '../table.js';

const definition = defineConfig({
  name: 'evaluate',
  usage: 'semlink evaluate',
  description:
    'Runs a published model over the real channel code, in this process, and prints its accuracy and the information bound of what is received, point by point.',
  fields: {
    models: option(z.string().default(SHIPPED_MODELS), {
      description: 'Folder of published models.',
      placeholder: 'FOLDER',
    }),
    model: option(z.string().default(''), { description: 'Version to evaluate; empty: the default of the folder.' }),
    channel: option(z.array(z.enum(simulatedModelNames)).min(1).default(['awgn', 'rayleigh-block']), {
      description: 'Channel models, with typical parameters; block Rayleigh has one gain a frame.',
    }),
    snrDb: option(z.array(z.number().min(-40).max(60)).min(1).default([-6, 0, 10, 20]), {
      description: 'Average Es/N0; with --power peak the peak SNR.',
      unit: 'dB',
      alias: 'snr',
    }),
    k: option(z.array(z.int().min(1)).default([]), {
      description: 'Message lengths; none: all of the model.',
      unit: 'channel uses',
    }),
    split: option(z.enum(['test', 'holdout', 'train']).default('test'), {
      description: 'CIFAR-10 images: choices are made on holdout, test is for the end.',
    }),
    images: option(z.int().min(1).optional(), { description: 'At most so many images; default: all of the split.' }),
    power: option(z.enum(powerConstraints).default('average'), {
      description:
        'average: unit average power an image; peak: |re|, |im| <= 1, noise sigma^2 in each, SNR 1/sigma^2, symbols times sqrt(2) limited.',
    }),
    seed: option(z.array(z.int().min(0)).min(1).default([1]), {
      description: 'Seeds of the channels; with several the results are means over them.',
    }),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});

export const evaluate: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const models = await openModels(config.models);
    const model = await chooseModel(config.models, models, config.model);
    const { channelUses, version } = model.manifest;
    const wrong = config.k.find((k) => !channelUses.includes(k));
    if (wrong) throw new Error(`--k ${wrong}: ${version} has the lengths ${channelUses.join(', ')}`);
    const images = await firstImages(config.split, config.images);

    const points = config.channel.flatMap((name) =>
      config.snrDb.flatMap((snrDb) =>
        (config.k.length > 0 ? config.k : channelUses).map((k) => ({
          channelUses: k,
          channel: typicalSettings(name, snrDb),
          power: config.power,
        })),
      ),
    );
    const { seed: seeds } = config;
    const progress = new ProgressLine(process.stderr);
    const measured = await measureLink(
      await publishedPair(model),
      images,
      points.flatMap((point) => seeds.map((seed) => ({ ...point, seed }))),
      {
        seed: seeds[0]!,
        onProgress: (done, total) => progress.update(`${version}  ${done.toFixed(1)}/${total} points`, done / total),
      },
    );
    progress.clear();
    const results = points.map(({ channel, channelUses: k }, i) => {
      const bySeed = measured.slice(i * seeds.length, (i + 1) * seeds.length);
      const accuracy = bySeed.map((result) => result.accuracy);
      return {
        model: version,
        channel: channel.model,
        snr_db: channel.snrDb,
        k,
        power: config.power,
        accuracy: meanAndDeviation(accuracy).mean,
        images: images.count,
        semantic_bits: meanAndDeviation(bySeed.map((result) => result.semanticBits)).mean,
        ...(seeds.length > 1 && { seeds, accuracy_by_seed: accuracy }),
      };
    });
    if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify({ results }, null, 2)}\n`);
    const seedText = `seed${seeds.length > 1 ? 's' : ''} ${seeds.join(', ')}`;
    const powerText = config.power === 'peak' ? ', peak power' : '';
    process.stdout.write(`${version}, ${images.count} ${config.split} images of CIFAR-10, ${seedText}${powerText}\n\n`);
    process.stdout.write(
      formatTable(
        ['channel', config.power === 'peak' ? 'peak SNR dB' : 'SNR dB', 'k', 'accuracy %', 'bits'],
        results.map((r) => [
          r.channel,
          String(r.snr_db),
          String(r.k),
          (100 * r.accuracy).toFixed(2),
          r.semantic_bits.toFixed(2),
        ]),
      ),
    );
    return 0;
  },
};
