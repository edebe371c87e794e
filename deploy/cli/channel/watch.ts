import { once } from 'node:events';
import { z } from 'zod';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { ChannelChange } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { Command } from '../command.js';
import { emulatorFields, linkField, linkName, withEmulators } from './emulator.js';
import { readStream } from './read-stream.js';
import { settingsWords } from './settings-text.js';

const definition = defineConfig({
  name: 'channel-watch',
  usage: 'semlink channel watch',
  description: 'Shows what is set now, then every change, until Ctrl-C.',
  fields: {
    ...emulatorFields,
    link: option(linkField, {
      description: 'Name of the link; empty: the default and all links with settings of their own.',
    }),
    everyMs: option(z.int().min(0).max(3_600_000).default(0), {
      description: 'With --link: also shows how far the link is, this often (at least 10); 0: changes only.',
      unit: 'ms',
    }),
    json: option(z.boolean().default(false), { description: 'One JSON object a line.' }),
  },
});

export const watch: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    return withEmulators(config, async (emulators) => {
      const client = await emulators.carrying(config.link);
      const intervalNanos = BigInt(config.everyMs) * 1_000_000n;
      const call = client.watchChannel({ linkId: config.link, intervalNanos });
      await readStream(call, async ({ linkId, settings, position, skipped, change, timeUnixNano }) => {
        const why = ChannelChange[change]!.toLowerCase();
        const time = new Date(Number(timeUnixNano / 1_000_000n)).toISOString();
        const line = config.json
          ? JSON.stringify({
              time,
              link: linkId,
              change: why,
              position: Number(position),
              skipped: Number(skipped),
              settings: JSON.parse(settings),
            })
          : `${time}  ${linkName(linkId).padEnd(12)}  ${why.padEnd(8)}  ${position} symbols  ${settingsWords(settings)}`;
        // A pipe that is slow slows the stream down, and the emulator tells only the newest then.
        if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
      });
      return 0;
    });
  },
};
