import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type ChannelSnapshot, ChannelSnapshotSchema } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { Code } from '../../../shared/rpc/errors.js';
import { Links } from '../links.js';
import { patchSettings } from './settings-patch.js';
import { restorePart, snapshotParts } from './snapshot.js';

const newLinks = (seed = 1n, maxLinks = 100_000) =>
  new Links({ seed, defaultChannel: { model: 'awgn', snrDb: 5 }, maxLinks });
const overTheWire = (part: ChannelSnapshot) => fromBinary(ChannelSnapshotSchema, toBinary(ChannelSnapshotSchema, part));
const ones = (k: number) => Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));

function used(): Links {
  const links = newLinks(2n ** 63n + 5n);
  links.setChannel('', { model: 'rayleigh-block', snrDb: 9, coherenceSymbols: 7 });
  const patch = {
    channel: { model: 'jakes', snrDb: 12 },
    air: { symbolRateHz: 5e4 },
    feedback: { pilots: { count: 3 } },
  };
  links.set('own', patchSettings(links.settingsOf('own'), patch), 'set');
  links.setChannel('unused', { model: 'awgn', snrDb: 33 });
  for (let i = 0; i < 20; i++) for (const id of ['own', 'plain', `only-${i}`]) links.propagate(id, ones(5 + i));
  return links;
}

describe('a snapshot', () => {
  it('makes another emulator go on to the bit, with every setting', () => {
    const links = used();
    const parts = [...snapshotParts(links)].map(overTheWire);
    const other = newLinks();
    other.setChannel('mine', { model: 'awgn', snrDb: 1 });
    other.propagate('mine', ones(9));
    for (const part of parts) restorePart(other, part);
    expect(other.seed).toBe(links.seed);
    expect(other.positionOf('mine')).toBe(0);
    expect(other.hasOwn('mine')).toBe(false);
    for (const id of ['', 'own', 'unused', 'plain', 'only-3']) {
      expect(other.settingsOf(id)).toEqual(links.settingsOf(id));
      expect([other.positionOf(id), other.hasOwn(id)]).toEqual([links.positionOf(id), links.hasOwn(id)]);
    }
    for (const id of ['own', 'plain', 'only-3', 'new']) {
      const [a, b] = [ones(40), ones(40)];
      expect(other.propagate(id, a)).toEqual(links.propagate(id, b));
      expect(a).toEqual(b);
    }
  });

  it('of many links comes in parts far below the limit of a message', () => {
    const links = newLinks();
    for (let i = 0; i < 8_000; i++) {
      links.moveTo(`link-with-a-rather-long-name-${i}`, i);
      if (i % 2 === 0) links.setChannel(`link-with-a-rather-long-name-${i}`, { model: 'awgn', snrDb: i % 60 });
    }
    const parts = [...snapshotParts(links)];
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(toBinary(ChannelSnapshotSchema, part).length).toBeLessThan(300 * 1024);
    const other = newLinks();
    for (const part of parts) restorePart(other, part);
    expect(other.size).toBe(8_000);
    expect(other.positionOf('link-with-a-rather-long-name-7999')).toBe(7_999);
  });

  it('that is no good changes nothing', () => {
    const links = used();
    const before = [...snapshotParts(links)].map((part) => toBinary(ChannelSnapshotSchema, part));
    const first = () => overTheWire([...snapshotParts(links)][0]!);
    const bad = (change: (part: ChannelSnapshot) => void) => {
      const part = first();
      change(part);
      return () => restorePart(links, part);
    };
    expect(() => restorePart(links, undefined)).toThrow('part is undefined');
    expect(bad((part) => (part.links[0]!.linkId = 'no good'))).toThrow('link_id is "no good"');
    expect(bad((part) => (part.links[0]!.position = 2n ** 60n))).toThrow('position of link');
    expect(bad((part) => (part.links.find(({ channel }) => channel)!.channel!.snrDb = 1e3))).toThrow('snr_db is 1000');
    expect(bad((part) => (part.defaultChannel!.snrDb = -99))).toThrow('snr_db is -99');
    const later = create(ChannelSnapshotSchema, { seed: 4n });
    expect(() => restorePart(links, later)).toThrow(expect.objectContaining({ code: Code.FAILED_PRECONDITION }));
    const small = newLinks(1n, 1);
    expect(() => restorePart(small, first())).toThrow(expect.objectContaining({ code: Code.RESOURCE_EXHAUSTED }));
    expect(small.seed).toBe(1n);
    expect([...snapshotParts(links)].map((part) => toBinary(ChannelSnapshotSchema, part))).toEqual(before);
  });
});
