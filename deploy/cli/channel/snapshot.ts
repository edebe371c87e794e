import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { defineConfig, loadConfigOrExit } from '../../../shared/config/index.js';
import {
  type ChannelSnapshot,
  ChannelSnapshotSchema,
  type LinkSnapshot,
} from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';
import { emulatorFields, withEmulators } from './emulator.js';
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
    await withEmulators(config, async ({ clients }) => {
      // A link may be known at several addresses: it is written where it has come further than at those before, and what
      // is restored last counts.
      const furthest = new Map<string, bigint>();
      for (const [number, client] of clients.entries()) {
        await readStream(client.snapshotChannels({}), async ({ part }) => {
          if (!part) return;
          part.links = part.links.filter((link) => isFurther(furthest, link));
          if (number > 0 && part.links.length === 0) return;
          // Seed and default are the same everywhere; a part that has them would replace those before.
          if (number > 0) Object.assign(part, { seed: 0n, defaultChannel: undefined });
          if (!out.write(`${toJsonString(ChannelSnapshotSchema, part)}\n`)) await once(out, 'drain');
        });
      }
      links = furthest.size;
    });
    out.end();
    await once(out, 'finish');
    process.stdout.write(`${links} links in ${positionals[0]}\n`);
    return 0;
  },
};

/** Whether a link has come further than where it was met before. */
function isFurther(furthest: Map<string, bigint>, { linkId, position }: LinkSnapshot): boolean {
  const before = furthest.get(linkId);
  if (before !== undefined && position <= before) return false;
  furthest.set(linkId, position);
  return true;
}

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
    const links = await withEmulators(config, async (emulators) => {
      let known = 0n;
      let number = 0;
      const input = createReadStream(name);
      await once(input, 'open');
      for await (const line of createInterface({ input })) {
        number++;
        if (line.trim() === '') continue;
        const part = partFrom(line, `${name}, line ${number}`);
        const told = await emulators.onAll((client) => client.restoreChannels({ part }, { deadlineMs: 60_000 }));
        known = told[0]!.links;
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
