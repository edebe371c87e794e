import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Links } from '../links.js';
import { type WatchEvent, Watcher } from './watchers.js';

function setup(linkId: string, intervalMs = 0) {
  const links = new Links({ seed: 1n, defaultChannel: { model: 'awgn', snrDb: 5 }, maxLinks: 100_000 });
  const told: WatchEvent[] = [];
  const reader = { takes: true };
  let tick = 0n;
  const start = () =>
    new Watcher({
      links,
      linkId,
      intervalMs,
      now: () => ++tick,
      tell: (event) => {
        told.push(event);
        return reader.takes;
      },
    });
  const seen = () => told.map(({ linkId: id, change, skipped }) => `${id || 'default'} ${change} ${skipped}`);
  const set = (id: string, snrDb: number) => links.setChannel(id, { model: 'awgn', snrDb });
  return { links, reader, start, told, seen, set };
}

describe('a watcher', () => {
  it('of all links is told of the default and every link of its own, then of every change', () => {
    const { links, start, seen, set } = setup('');
    set('a', 1);
    const watcher = start();
    set('b', 2);
    set('', 3);
    links.reset('a');
    links.reset('never-set');
    expect(seen()).toEqual(['default initial 0', 'a initial 0', 'b set 0', 'default set 0', 'a reset 0']);
    watcher.close();
    set('b', 4);
    expect(seen()).toHaveLength(5);
  });

  it('of one link is told of the default while the link follows it', () => {
    const { start, seen, set, links } = setup('a');
    start();
    set('b', 1);
    set('', 2);
    set('a', 3);
    set('', 4);
    links.reset('a');
    set('', 5);
    expect(seen()).toEqual(['a initial 0', 'a set 0', 'a set 0', 'a reset 0', 'a set 0']);
  });

  it('that does not read costs one event a link, and is told the newest once it reads', () => {
    const { reader, start, told, seen, set } = setup('');
    reader.takes = false;
    const watcher = start();
    for (let round = 0; round < 50; round++) for (let link = 0; link < 200; link++) set(`link-${link}`, round % 40);
    expect(told).toHaveLength(1);
    expect(watcher.waiting).toBe(200);
    reader.takes = true;
    watcher.resume();
    expect(told).toHaveLength(201);
    expect(seen()[1]).toBe('link-0 set 49');
    expect(watcher.waiting).toBe(0);
    set('link-7', 3);
    expect(seen().at(-1)).toBe('link-7 set 0');
  });

  it('is told at its interval, and no more after it is closed', async () => {
    const { start, seen } = setup('a', 5);
    const watcher = start();
    while (seen().length < 4) await sleep(5);
    expect(seen().slice(0, 3)).toEqual(['a initial 0', 'a interval 0', 'a interval 0']);
    watcher.close();
    const count = seen().length;
    await sleep(30);
    expect(seen()).toHaveLength(count);
  });
});
