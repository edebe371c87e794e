import path from 'node:path';
import { z } from 'zod';
import { SemanticLink } from '../../../shared/client/link.js';
import { openModel, SHIPPED_MODELS } from '../../../shared/codec/model-folder.js';
import { pullModels, pushModel } from '../../../shared/codec/model-store.js';
import { defineConfig, loadConfigOrExit, option, targetOption } from '../../../shared/config/index.js';
import { s3Group } from '../../../shared/knowledge/s3-options.js';
import { openStore } from '../../../shared/knowledge/store.js';
import { tlsFields } from '../../../shared/rpc/tls.js';
import { type Action, commandOf } from '../actions.js';
import { formatTable } from '../table.js';

const storeOption = (description: string) =>
  option(z.string().min(1), { description: `${description} A folder, or s3://bucket/prefix.`, placeholder: 'URL' });

const listDefinition = defineConfig({
  name: 'models-list',
  usage: 'semlink models list',
  description: 'The models of a running transmitter, and the share of the links that name none which each gets.',
  fields: { to: targetOption('127.0.0.1:50051', 'Addresses of the transmitter-encoder.'), ...tlsFields() },
});

const pullDefinition = defineConfig({
  name: 'models-pull',
  usage: 'semlink models pull',
  description: 'Fetches published models into a folder that services can load (--models), each checked by its hashes.',
  fields: {
    from: storeOption('Where they are stored.'),
    into: option(z.string().default(SHIPPED_MODELS), { description: 'Folder of models.', placeholder: 'FOLDER' }),
    only: option(z.array(z.string()).default([]), { description: 'Versions to fetch; default: all there are.' }),
    s3: s3Group(),
  },
});

const pushDefinition = defineConfig({
  name: 'models-push',
  usage: 'semlink models push',
  description: 'Stores a published model where "semlink models pull" finds it.',
  fields: {
    model: option(z.string().min(1), {
      description: 'Folder of the model, or version among those that come with SemLink.',
      placeholder: 'FOLDER|VERSION',
    }),
    to: storeOption('Where it goes.'),
    makeDefault: option(z.boolean().default(false), { description: 'Names it as the one that is taken.' }),
    s3: s3Group(),
  },
});

const ACTIONS: Record<string, Action> = {
  list: {
    summary: 'The models of a running transmitter, and their shares of the links.',
    async run(argv) {
      const { config } = loadConfigOrExit(listDefinition, argv);
      const link = new SemanticLink({ address: config.to, linkId: 'models', tls: config.tls });
      try {
        const rows = (await link.listModels()).map((model) => [
          model.version,
          model.default ? 'default' : '',
          `${(100 * model.share).toFixed(1)} %`,
          `${model.width} x ${model.height}`,
          model.channelUses.join(' '),
        ]);
        process.stdout.write(formatTable(['model', '', 'links', 'images', 'lengths k'], rows));
        return 0;
      } finally {
        await link.close();
      }
    },
  },

  pull: {
    summary: 'Fetches models from a store into a folder.',
    async run(argv) {
      const { config } = loadConfigOrExit(pullDefinition, argv);
      const store = await openStore(config.from, config.s3);
      const folder = path.resolve(config.into);
      try {
        for (const { model, fetched } of await pullModels(store, folder, config.only)) {
          process.stdout.write(`${model.manifest.version}: ${fetched ? `fetched into ${folder}` : 'there already'}\n`);
        }
        return 0;
      } finally {
        store.close();
      }
    },
  },

  push: {
    summary: 'Stores a model.',
    async run(argv) {
      const { config } = loadConfigOrExit(pushDefinition, argv);
      const isVersion = /^[a-z0-9][a-z0-9._-]*$/.test(config.model);
      const model = await openModel(isVersion ? path.join(SHIPPED_MODELS, config.model) : path.resolve(config.model));
      const store = await openStore(config.to, config.s3);
      try {
        await pushModel(store, model, config.makeDefault);
        process.stdout.write(`${model.manifest.version}: stored in ${store.url}\n`);
        return 0;
      } finally {
        store.close();
      }
    },
  },
};

export const models = commandOf('models', 'Looks after published models.', ACTIONS);
