import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidate, pickCandidate } from './rendezvous.js';

const links = Array.from({ length: 4_000 }, (_, i) => `uav-${i}`);
const address = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`);
const addresses = fc.uniqueArray(address, { minLength: 2, maxLength: 9 });

const placed = (names: readonly string[]) => {
  const candidates = names.map(candidate);
  return links.map((link) => pickCandidate(link, candidates)!.address);
};

describe('rendezvous hashing', () => {
  it('gives every address its share of the links', () => {
    fc.assert(
      fc.property(addresses, (names) => {
        const counts = new Map<string, number>();
        for (const at of placed(names)) counts.set(at, (counts.get(at) ?? 0) + 1);
        const share = links.length / names.length;
        // Six standard deviations of a binomial count: one draw in 500 million lies beyond.
        const most = 6 * Math.sqrt(share * (1 - 1 / names.length));
        for (const name of names) expect(Math.abs((counts.get(name) ?? 0) - share)).toBeLessThan(most);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('moves 1/n of the links when an address is added, all of them to it', () => {
    fc.assert(
      fc.property(addresses, address, (names, added) => {
        fc.pre(!names.includes(added));
        const before = placed(names);
        const after = placed([...names, added]);
        const moved = after.filter((at, i) => at !== before[i]);
        expect(moved.every((at) => at === added)).toBe(true);
        const share = links.length / (names.length + 1);
        expect(Math.abs(moved.length - share)).toBeLessThan(6 * Math.sqrt(share));
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  it('takes no notice of the order of the addresses', () => {
    fc.assert(
      fc.property(addresses, (names) => {
        expect(placed(names.toReversed())).toEqual(placed(names));
      }),
      { numRuns: 20, seed: 3 },
    );
  });

  it('stays the same for ever: other processes and versions must pick alike', () => {
    const candidates = ['127.0.0.1:50052', '127.0.0.1:50062', '127.0.0.1:50072'].map(candidate);
    const picks = ['uav-7', 'bench-0', 'cli', 'a'].map((link) => pickCandidate(link, candidates)!.address);
    expect(picks).toMatchInlineSnapshot(`
      [
        "127.0.0.1:50052",
        "127.0.0.1:50062",
        "127.0.0.1:50052",
        "127.0.0.1:50052",
      ]
    `);
    expect(pickCandidate('uav-7', [])).toBeUndefined();
  });
});
