import { z } from 'zod';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import type { Command } from '../command.js';
import { emulatorFields, linkField, linkName, withEmulators } from './emulator.js';
import { patchFromWords, settingsWords } from './settings-text.js';

const setDefinition = defineConfig({
  name: 'channel-set',
  usage: 'semlink channel set',
  description: 'Changes what is named and leaves the rest, for frames that come later.',
  positionals: {
    usage: 'KEY=VALUE...',
    description:
      'Settings such as snr-db=12, model=jakes, air.propagation-delay-ms=5, feedback.pilots=null, trace=@FILE; semlink channel --help lists them.',
    min: 1,
    max: 100,
  },
  fields: {
    ...emulatorFields,
    link: linkField,
    every: option(z.boolean().default(false), {
      description: 'The default and also every link that has settings of its own.',
    }),
  },
  check: ({ link, every }) => (every && link !== '' ? 'Give --link or --every, not both.' : undefined),
});

export const set: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(setDefinition, argv);
    const { link: linkId } = config;
    const patch = JSON.stringify(await patchFromWords(positionals));
    const settings = await withEmulators(config, async (emulators) => {
      await emulators.onAll((client) => client.setChannel({ linkId, patch, everyLink: config.every }));
      return (await emulators.clients[0]!.getChannel({ linkId })).settings;
    });
    process.stdout.write(`${config.every ? 'every link' : linkName(linkId)}: ${settingsWords(settings)}\n`);
    return 0;
  },
};

const resetDefinition = defineConfig({
  name: 'channel-reset',
  usage: 'semlink channel reset',
  description: 'Lets a link follow the default again, from where it is.',
  fields: { ...emulatorFields, link: linkField },
  check: ({ link }) => (link === '' ? '--link is required: name the link that is reset.' : undefined),
});

export const reset: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(resetDefinition, argv);
    await withEmulators(config, (emulators) =>
      emulators.onAll((client) => client.resetChannel({ linkId: config.link })),
    );
    process.stdout.write(`${config.link}: follows the default\n`);
    return 0;
  },
};
