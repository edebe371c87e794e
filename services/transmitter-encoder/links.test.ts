import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../shared/codec/manifest.js';
import { smallManifest } from '../../shared/codec/small-model.fixture.js';
import { LinkTable, type LinkTableOptions } from './links.js';

const NOW = 1_700_000_000_000;
const OPTIONS: LinkTableOptions = {
  maxLinks: 3,
  defaultPolicy: { kind: 'fixed', channelUses: 2 },
  staleAfterMs: 1000,
  hysteresisDb: 1,
  unknownSnrDb: 5,
};
/** Lengths 1, 2, 4, 8; over AWGN 0.2 + 0.1 a length + 0.02 a dB above -6. */
const model: Manifest = { ...smallManifest('m-1'), files: {} };
const tableOf = (options: Partial<LinkTableOptions> = {}) => new LinkTable({ ...OPTIONS, ...options });
const at = (snrDb: number, measuredAtMs = NOW) => ({ channelModel: 'awgn', snrDb, measuredAtMs });

describe('LinkTable', () => {
  it('decides by the policy of the link, or the default of all', () => {
    const links = tableOf();
    links.setPolicy('a', { kind: 'fixed', channelUses: 8 });
    expect(links.decide('a', model, NOW)).toMatchObject({ channelUses: 8, reason: 'fixed' });
    expect(links.decide('b', model, NOW)).toMatchObject({ channelUses: 2, reason: 'fixed' });
    links.setPolicy('a', { kind: 'target-accuracy', accuracy: 0.5 });
    expect(links.decide('a', model, NOW)).toMatchObject({ channelUses: 8, reason: 'stale' });
  });

  it('decides by the newest channel state of its own link, in whatever order states arrive', () => {
    const state = fc.record({ age: fc.integer({ min: 0, max: 900 }), snrDb: fc.integer({ min: -6, max: 12 }) });
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 8 }), (states) => {
        const links = tableOf();
        links.update('other', at(-20));
        for (const { age, snrDb } of states) links.update('a', at(snrDb, NOW - age));
        const least = Math.min(...states.map(({ age }) => age));
        const newest = states.filter(({ age }) => age === least).at(-1)!;
        expect(links.decide('a', model, NOW)).toMatchObject({ snrDb: newest.snrDb, ageMs: newest.age });
      }),
    );
  });

  it('adapts the length to the state and remembers it for the hysteresis, for each model by itself', () => {
    const links = tableOf({ defaultPolicy: { kind: 'target-accuracy', accuracy: 0.5 } });
    const other: Manifest = { ...model, version: 'm-2' };
    const decide = (snrDb: number, of = model) => {
      links.update('a', at(snrDb));
      const { channelUses, reason } = links.decide('a', of, NOW);
      return `${channelUses} ${reason}`;
    };
    // 0.5 is reached by 4 at -1 dB and by 2 at 4 dB.
    expect(decide(3.5)).toBe('4 target');
    expect(decide(4.5)).toBe('4 hold');
    expect(decide(4.5, other)).toBe('2 target');
    expect(decide(4.5)).toBe('4 hold');
    expect(decide(5.5)).toBe('2 target');
  });

  it('says so when the state has become too old', () => {
    const links = tableOf({ defaultPolicy: { kind: 'target-accuracy', accuracy: 0.5 } });
    links.update('a', at(12));
    expect(links.decide('a', model, NOW + 1000)).toMatchObject({ channelUses: 1, reason: 'target', ageMs: 1000 });
    expect(links.decide('a', model, NOW + 1001)).toMatchObject({ channelUses: 8, reason: 'stale', snrDb: 5 });
  });

  it('forgets the link unused for longest, with its policy, and never grows beyond its bound', () => {
    const links = tableOf();
    for (const link of ['a', 'b', 'c']) links.setPolicy(link, { kind: 'fixed', channelUses: 8 });
    links.decide('a', model, NOW);
    links.update('b', at(0));
    links.decide('d', model, NOW);
    expect(links.size).toBe(3);
    expect(links.decide('a', model, NOW).channelUses).toBe(8);
    expect(links.decide('b', model, NOW).channelUses).toBe(8);
    expect(links.decide('c', model, NOW).channelUses).toBe(2);
    for (let i = 0; i < 1000; i++) {
      links.decide(`link-${i}`, model, NOW);
      expect(links.size).toBe(3);
    }
    expect(links.decide('a', model, NOW).channelUses).toBe(2);
  });

  it('knows where a link is, by what was sent and by what the emulator says', () => {
    const links = tableOf();
    expect(links.leave('a', 8)).toEqual({ position: 0, sent: 0 });
    expect(links.leave('a', 4)).toEqual({ position: 8, sent: 8 });
    // Others have sent for it before: 100 symbols, heard of when two more frames are on their way.
    links.arrived('a', 0, 100);
    expect(links.leave('a', 4)).toEqual({ position: 112, sent: 12 });
    links.arrived('a', 8, 108);
    // Put back to 20 by a snapshot before the third; an answer that is late says nothing any more.
    links.arrived('a', 12, 20);
    links.arrived('a', 8, 108);
    expect(links.leave('a', 1)).toEqual({ position: 24, sent: 16 });
    // Frames that were lost on their way have not moved it: it is not before its beginning.
    links.arrived('a', 16, 0);
    expect(links.leave('a', 1).position).toBe(1);
    // Forgotten: what comes back of earlier frames is not of the new count.
    for (const other of ['b', 'c', 'd']) links.leave(other, 1);
    links.arrived('a', 16, 500);
    expect(links.leave('a', 1)).toEqual({ position: 0, sent: 0 });
  });
});
