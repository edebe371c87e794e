import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import { Code } from '../../shared/rpc/errors.js';
import { Links } from './links.js';

const fading: ChannelSettings = { model: 'rayleigh-block', snrDb: 5, coherenceSymbols: 3 };

function links(change: Partial<ConstructorParameters<typeof Links>[0]> = {}): Links {
  return new Links({ seed: 9n, defaultChannel: fading, maxLinks: 100, ...change });
}

const ones = (k: number) => Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));

describe('Links', () => {
  it('gives a link the same channel however its frames are interleaved with those of others', () => {
    const frames = fc.array(fc.record({ link: fc.constantFrom('a', 'b', 'c'), k: fc.integer({ min: 1, max: 20 }) }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(frames, (all) => {
        const together = links();
        const received = all.map(({ link, k }) => {
          const symbols = ones(k);
          return { link, symbols, passage: together.propagate(link, symbols) };
        });
        for (const link of ['a', 'b', 'c']) {
          const alone = links();
          let position = 0;
          for (const one of received.filter((frame) => frame.link === link)) {
            const symbols = ones(one.symbols.length / 2);
            expect(alone.propagate(link, symbols)).toEqual(one.passage);
            expect(symbols).toEqual(one.symbols);
            expect(one.passage.position).toBe(position);
            position += symbols.length / 2;
          }
          expect(together.channelOf(link).position).toBe(position);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('gives other links and other seeds other channels', () => {
    const [a, b, c] = [ones(8), ones(8), ones(8)];
    links().propagate('a', a);
    links().propagate('b', b);
    links({ seed: 10n }).propagate('a', c);
    expect(a).not.toEqual(b);
    expect(a).not.toEqual(c);
  });

  it('changes one link, or all without a channel of their own, from the next frame on', () => {
    const some = links();
    some.setChannel('a', { model: 'awgn', snrDb: 20 });
    expect(some.propagate('a', ones(1))).toMatchObject({ model: 'awgn', snrDb: 20, position: 0 });
    expect(some.propagate('b', ones(1))).toMatchObject({ model: 'rayleigh-block', snrDb: 5 });
    some.setChannel('', { model: 'awgn', snrDb: -3 });
    expect(some.propagate('a', ones(1))).toMatchObject({ snrDb: 20, position: 1 });
    expect(some.propagate('b', ones(1))).toMatchObject({ model: 'awgn', snrDb: -3, position: 1 });
    expect(some.channelOf('a')).toEqual({ settings: { model: 'awgn', snrDb: 20 }, position: 2 });
    expect(some.channelOf('')).toEqual({ settings: { model: 'awgn', snrDb: -3 }, position: 0 });
  });

  it('remembers the links used last, and never more than it may', () => {
    const some = links({ maxLinks: 10 });
    for (let round = 0; round < 50; round++) {
      some.propagate('kept', ones(1));
      some.propagate(`passing-${round}`, ones(1));
      expect(some.size).toBeLessThanOrEqual(10);
    }
    expect(some.channelOf('kept').position).toBe(50);
    expect(some.channelOf('passing-0').position).toBe(0);
    // Forgotten, and the same again from the start.
    const again = ones(1);
    const first = ones(1);
    some.propagate('passing-0', again);
    links().propagate('passing-0', first);
    expect(again).toEqual(first);
  });

  it('bounds the links with a channel of their own by refusing', () => {
    const some = links({ maxLinks: 2 });
    some.setChannel('a', fading);
    some.setChannel('b', fading);
    some.setChannel('a', { model: 'awgn', snrDb: 1 });
    expect(() => some.setChannel('c', fading)).toThrow(
      expect.objectContaining({
        code: Code.RESOURCE_EXHAUSTED,
        message: expect.stringContaining('is 2; set the default'),
      }),
    );
  });

  it('keeps what is set when new settings are out of range', () => {
    const some = links();
    expect(() => some.setChannel('', { model: 'awgn', snrDb: 61 })).toThrow('snr_db is 61');
    expect(() => some.setChannel('a', { ...fading, snrDb: Number.NaN })).toThrow('snr_db is NaN');
    expect(some.channelOf('a').settings).toEqual(fading);
  });

  it('goes on where a link was elsewhere, and never back', () => {
    const [one, other] = [links(), links()];
    one.propagate('a', ones(10));
    const next = ones(4);
    one.propagate('a', next);
    other.goOn('a', 10);
    other.goOn('a', 6);
    const moved = ones(4);
    expect(other.propagate('a', moved).position).toBe(10);
    expect(moved).toEqual(next);
  });

  it('begins where a link was put, whatever who sends for it has counted', () => {
    const some = links();
    some.moveTo('a', 3);
    some.goOn('a', 50);
    expect(some.propagate('a', ones(4)).position).toBe(3);
    some.goOn('a', 50);
    expect(some.propagate('a', ones(4)).position).toBe(50);
  });
});
