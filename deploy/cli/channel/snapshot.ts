import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { defineConfig, loadConfigOrExit } from '../../../shared/config/index.js';
import { type ChannelSnapshot, ChannelSnapshotSchema } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';
import { emulatorFields, withEmulator } from './emulator.js';
import { readStream } from './read-stream.js';

const file = (description: string) => ({ usage: 'FILE', description, min: 1, max: 1 });

const snapshotDefinition = defineConfig({
  name: 'channel-snapshot',
  usage: 'semlink channel snapshot',
  description: 'Writes all state of the links: seed, settings, and how far each link is.',
  positionals: file('File to write: JSON lines, one part of the snapshot each.'),
  fields: emulatorFields,
});

export const snapshot: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(snapshotDefinition, argv);
    const out = createWriteStream(positionals[0]!);
    await once(out, 'open');
    let links = 0;
    await withEmulator(config.emulator, (client) =>
      readStream(client.snapshotChannels({}), async ({ part }) => {
        links += part?.links.length ?? 0;
        if (part && !out.write(`${toJsonString(ChannelSnapshotSchema, part)}\n`)) await once(out, 'drain');
      }),
    );
    out.end();
    await once(out, 'finish');
    process.stdout.write(`${links} links in ${positionals[0]}\n`);
    return 0;
  },
};

const restoreDefinition = defineConfig({
  name: 'channel-restore',
  usage: 'semlink channel restore',
  description: 'Replaces all state of the links by that of a snapshot, for frames that come later.',
  positionals: file('File that semlink channel snapshot wrote.'),
  fields: emulatorFields,
});

export const restore: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(restoreDefinition, argv);
    const name = positionals[0]!;
    const progress = new ProgressLine(process.stderr);
    const links = await withEmulator(config.emulator, async (client) => {
      let known = 0n;
      let number = 0;
      const input = createReadStream(name);
      await once(input, 'open');
      for await (const line of createInterface({ input })) {
        number++;
        if (line.trim() === '') continue;
        const part = partFrom(line, `${name}, line ${number}`);
        known = (await client.restoreChannels({ part }, { deadlineMs: 60_000 })).links;
        progress.update(`${known} links`, 0);
      }
      if (number === 0) throw new Error(`${name} is empty: it is no snapshot`);
      return known;
    });
    progress.clear();
    process.stdout.write(`${links} links from ${name}\n`);
    return 0;
  },
};

function partFrom(line: string, where: string): ChannelSnapshot {
  try {
    return fromJsonString(ChannelSnapshotSchema, line);
  } catch (error) {
    throw new Error(`${where} is no part of a snapshot: ${(error as Error).message}`);
  }
}
