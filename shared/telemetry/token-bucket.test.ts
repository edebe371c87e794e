import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.js';

describe('a bound on how often', () => {
  test('is what was asked for over long and the burst at once, whenever it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }),
        (perSecond, burst, steps) => {
          const bucket = new TokenBucket(perSecond, burst);
          let now = 1_000;
          let taken = 0;
          for (const step of steps) {
            now += step;
            if (bucket.take(now)) taken++;
          }
          expect(taken).toBeLessThanOrEqual(burst + ((now - 1_000) / 1e3) * perSecond + 1e-6);
        },
      ),
    );
  });

  test('gives what it has promised', () => {
    const bucket = new TokenBucket(2);
    expect([0, 0, 0, 400, 500, 500, 1e9, 1e9, 1e9].map((now) => bucket.take(now))).toEqual([
      ...[true, true, false],
      ...[false, true, false],
      ...[true, true, false],
    ]);
  });

  test('of 0 is never', () => {
    const bucket = new TokenBucket(0);
    expect([0, 1e6, 1e12].map((now) => bucket.take(now))).toEqual([false, false, false]);
  });
});
