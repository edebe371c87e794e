import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { simulatedModelNames, typicalSettings } from '../../../shared/channel/channel-config.js';
import { evaluateLink } from '../../../shared/codec/link-evaluation.js';
import { graphFolder, graphPorts, openModels, SHIPPED_MODELS } from '../../../shared/codec/model-folder.js';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { loadCifar10 } from '../../../shared/data/cifar10.js';
import { ModelSession } from '../../../shared/tensor/session.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';
import { formatTable } from '../table.js';

const definition = defineConfig({
  name: 'evaluate',
  usage: 'semlink evaluate',
  description:
    'Runs a published model over the real channel code, in this process, and prints its accuracy point by point.',
  fields: {
    models: option(z.string().default(SHIPPED_MODELS), {
      description: 'Folder of published models.',
      placeholder: 'FOLDER',
    }),
    model: option(z.string().default(''), { description: 'Version to evaluate; empty: the last by name.' }),
    channel: option(z.array(z.enum(simulatedModelNames)).min(1).default(['awgn', 'rayleigh-block']), {
      description: 'Channel models, with typical parameters; block Rayleigh has one gain a frame.',
    }),
    snrDb: option(z.array(z.number().min(-40).max(60)).min(1).default([-6, 0, 10, 20]), {
      description: 'Average Es/N0.',
      unit: 'dB',
    }),
    k: option(z.array(z.int().min(1)).default([]), {
      description: 'Message lengths; none: all of the model.',
      unit: 'channel uses',
    }),
    split: option(z.enum(['test', 'holdout', 'train']).default('test'), {
      description: 'CIFAR-10 images: choices are made on holdout, test is for the end.',
    }),
    images: option(z.int().min(1).optional(), { description: 'At most so many images; default: all of the split.' }),
    seed: option(z.int().min(0).default(1), { description: 'Seed of the channels.' }),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});

export const evaluate: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const models = await openModels(config.models);
    const version = config.model || [...models.keys()].at(-1)!;
    const model = models.get(version);
    if (!model)
      throw new Error(`no model "${version}" in ${config.models}; there are ${[...models.keys()].join(', ')}`);
    const { network, channelUses } = model.manifest;
    const wrong = config.k.find((k) => !channelUses.includes(k));
    if (wrong) throw new Error(`--k ${wrong}: ${version} has the lengths ${channelUses.join(', ')}`);
    const all = await loadCifar10(config.split);
    const images = { ...all, count: Math.min(config.images ?? all.count, all.count) };
    images.labels = images.labels.subarray(0, images.count);

    const points = config.channel.flatMap((name) =>
      config.snrDb.flatMap((snrDb) =>
        (config.k.length > 0 ? config.k : channelUses).map((k) => ({
          channelUses: k,
          channel: typicalSettings(name, snrDb),
        })),
      ),
    );
    const load = (role: 'encoder' | 'decoder') => new ModelSession(graphFolder(model, role), graphPorts(network, role));
    const progress = new ProgressLine(process.stderr);
    const accuracy = await evaluateLink(
      { network, encoder: load('encoder'), decoder: load('decoder') },
      images,
      points,
      {
        seed: config.seed,
        onProgress: (done, total) => progress.update(`${done}/${total} points`, done / total),
      },
    );
    progress.clear();
    const results = points.map(({ channel, channelUses: k }, i) => ({
      model: version,
      channel: channel.model,
      snr_db: channel.snrDb,
      k,
      power: 'average',
      accuracy: accuracy[i]!,
      images: images.count,
    }));
    if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify({ results }, null, 2)}\n`);
    process.stdout.write(`${version}, ${images.count} ${config.split} images of CIFAR-10, seed ${config.seed}\n\n`);
    process.stdout.write(
      formatTable(
        ['channel', 'SNR dB', 'k', 'accuracy %'],
        results.map((r) => [r.channel, String(r.snr_db), String(r.k), (100 * r.accuracy).toFixed(2)]),
      ),
    );
    return 0;
  },
};
