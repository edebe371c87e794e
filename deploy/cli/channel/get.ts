import { z } from 'zod';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import type { Command } from '../command.js';
import { emulatorFields, linkField, linkName, withEmulators } from './emulator.js';
import { settingsLines } from './settings-text.js';

const definition = defineConfig({
  name: 'channel-get',
  usage: 'semlink channel get',
  description: 'What is set for a link, or by default, and where the link stands.',
  fields: {
    ...emulatorFields,
    link: linkField,
    json: option(z.boolean().default(false), { description: 'As JSON.' }),
  },
});

export const get: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const { link: linkId } = config;
    const { settings, seed, position, own } = await withEmulators(config, async (emulators) =>
      (await emulators.carrying(linkId)).getChannel({ linkId }),
    );
    if (config.json) {
      const all = { link: linkId, own, seed: `${seed}`, position: Number(position), settings: JSON.parse(settings) };
      process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
      return 0;
    }
    const whose = linkId === '' ? 'all links without settings of their own' : own ? 'its own settings' : 'the default';
    process.stdout.write(`${linkName(linkId)}: ${whose}; seed ${seed}, ${position} symbols carried\n`);
    for (const line of settingsLines(settings)) process.stdout.write(`  ${line}\n`);
    return 0;
  },
};
