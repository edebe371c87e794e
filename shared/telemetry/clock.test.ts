import { expect, test } from 'vitest';
import { nowUnixNano } from './clock.js';

test('is the wall clock within its tolerance, in nanoseconds', () => {
  for (let i = 0; i < 1000; i++) {
    const before = BigInt(Date.now() - 6) * 1_000_000n;
    const now = nowUnixNano();
    const after = BigInt(Date.now() + 7) * 1_000_000n;
    expect(now > before && now < after).toBe(true);
  }
});

test('tells moments apart that milliseconds cannot', () => {
  const times = new Set(Array.from({ length: 1000 }, () => nowUnixNano()));
  expect(times.size).toBeGreaterThan(500);
});
