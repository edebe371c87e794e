import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefetch } from './prefetch.js';
import { indicesOf } from './source.js';

describe('indicesOf', () => {
  it('is the plain range, cut at the end or wrapped', () => {
    const small = fc.nat({ max: 40 });
    fc.assert(
      fc.property(small, small, small, fc.boolean(), (count, limit, offset, loop) => {
        const endless = Array.from({ length: limit }, (_, i) => offset + i);
        const expected = count === 0 ? [] : loop ? endless.map((i) => i % count) : endless.filter((i) => i < count);
        expect([...indicesOf(count, { limit, offset, loop })]).toEqual(expected);
      }),
    );
  });

  it.each([{ limit: -1 }, { limit: 1.5 }, { offset: Number.NaN }])('refuses %j', (range) => {
    expect(() => [...indicesOf(3, range)]).toThrow(RangeError);
  });
});

describe('prefetch', () => {
  it('keeps the order and never has more in the making than asked for', async () => {
    let making = 0;
    let most = 0;
    const results: number[] = [];
    const items = Array.from({ length: 50 }, (_, i) => i);
    for await (const result of prefetch(items, 3, async (item) => {
      most = Math.max(most, ++making);
      for (let i = 0; i <= (item * 7) % 5; i++) await new Promise((resolve) => setImmediate(resolve));
      making--;
      return item;
    })) {
      results.push(result);
    }
    expect(results).toEqual(items);
    expect(most).toBe(3);
  });

  it('stops taking from an endless source when the reader leaves, and drops failures nobody waits for', async () => {
    let taken = 0;
    function* endless() {
      for (;;) yield taken++;
    }
    for await (const result of prefetch(endless(), 4, async (item) => {
      if (item > 0) throw new Error(`item ${item}`);
      return item;
    })) {
      expect(result).toBe(0);
      break;
    }
    await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would fail the run
    expect(taken).toBe(4);
  });
});
