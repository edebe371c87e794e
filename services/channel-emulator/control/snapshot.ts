import { create, toBinary } from '@bufbuild/protobuf';
import {
  type ChannelSnapshot,
  ChannelSnapshotSchema,
  type LinkSnapshot,
  LinkSnapshotSchema,
} from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { failedPrecondition, invalidArgument } from '../../../shared/rpc/errors.js';
import { checkLinkId } from '../../../shared/rpc/frame-header.js';
import type { Links } from '../links.js';
import { linkMessageOf, linkSettingsFrom } from './link-messages.js';
import { plainSettings } from './link-settings.js';

/** A part is closed when it has grown to so many bytes; far below the default limit of a message. */
const partBytes = 256 * 1024;

/**
 * All state of the links, in parts: seed and default, then every link with its own settings, its position, or both. With
 * it another emulator goes on exactly where this one is. Frames on their way, feedback on its way and running scenarios
 * are no part of it.
 *
 * Links are listed as they are when their part is made; take a snapshot while no frames come if all must be of one time.
 */
export function* snapshotParts(links: Links): Generator<ChannelSnapshot> {
  const first = { seed: links.seed, defaultChannel: linkMessageOf(links.settingsOf('')) };
  let part = create(ChannelSnapshotSchema, first);
  let bytes = 0;
  for (const link of linkSnapshots(links)) {
    part.links.push(link);
    bytes += toBinary(LinkSnapshotSchema, link).length;
    if (bytes < partBytes) continue;
    yield part;
    part = create(ChannelSnapshotSchema);
    bytes = 0;
  }
  if (part.links.length > 0 || part.defaultChannel) yield part;
}

function* linkSnapshots(links: Links): Generator<LinkSnapshot> {
  const own = new Set(links.ownLinks());
  for (const [linkId, position] of links.positions()) {
    const has = own.delete(linkId);
    yield create(LinkSnapshotSchema, {
      linkId,
      position: BigInt(position),
      ...(has && { channel: linkMessageOf(links.settingsOf(linkId)) }),
    });
  }
  for (const linkId of own) {
    yield create(LinkSnapshotSchema, { linkId, channel: linkMessageOf(links.settingsOf(linkId)) });
  }
}

/**
 * Takes one part of a snapshot in: the first replaces all state, the others add to it. A part is taken whole or not at all.
 * @throws SemlinkError INVALID_ARGUMENT naming the link and the setting that is no good, RESOURCE_EXHAUSTED when there are
 * too many links, FAILED_PRECONDITION when a later part comes with another seed
 */
export function restorePart(links: Links, part: ChannelSnapshot | undefined): void {
  if (!part) throw invalidArgument('part', undefined, 'give one part of a snapshot');
  const base = links.settingsOf('');
  const checked = part.links.map((link) => {
    checkLinkId(link.linkId);
    if (link.position > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw invalidArgument(
        `position of link "${link.linkId}"`,
        link.position,
        `use at most ${Number.MAX_SAFE_INTEGER}`,
      );
    }
    const settings = link.channel && links.checked(linkSettingsFrom(link.channel, plainSettings(base.channel)));
    return { linkId: link.linkId, position: Number(link.position), settings };
  });
  links.checkRoom(
    checked.filter(({ settings }) => settings).map(({ linkId }) => linkId),
    part.defaultChannel !== undefined,
  );
  if (part.defaultChannel) {
    links.restart(part.seed, linkSettingsFrom(part.defaultChannel, plainSettings(base.channel)));
  } else if (part.seed !== 0n && part.seed !== links.seed) {
    throw failedPrecondition('seed of the part', part.seed, `the links have ${links.seed}: begin with the first part`);
  }
  for (const { linkId, position, settings } of checked) {
    links.moveTo(linkId, position);
    if (settings) links.set(linkId, settings, 'restore');
  }
}
