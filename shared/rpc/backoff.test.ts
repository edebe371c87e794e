import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.js';

describe('Backoff', () => {
  it('doubles up to the bound, within a quarter either way, the same for the same seed', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 100, max: 5000 }),
        (seed, base, max) => {
          const one = new Backoff(base, max, seed);
          const other = new Backoff(base, max, seed);
          for (let failures = 0; failures < 40; failures++) {
            const nominal = Math.min(max, base * 2 ** failures);
            const delay = one.next();
            expect(delay).toBeGreaterThanOrEqual(nominal * 0.75);
            expect(delay).toBeLessThanOrEqual(nominal * 1.25);
            expect(other.next()).toBe(delay);
          }
          one.reset();
          expect(one.next()).toBeLessThanOrEqual(base * 1.25);
        },
      ),
    );
  });
});
