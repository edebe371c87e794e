import { describe, expect, it } from 'vitest';
import { LinkCache } from './link-cache.js';
import { link } from './statistics.fixture.js';

describe('LinkCache', () => {
  it('remembers the links used last, and never more than it may', () => {
    let made = 0;
    const cache = new LinkCache(10, () => ({ number: made++ }));
    const kept = link('kept');
    const first = cache.of(kept);
    for (let i = 0; i < 100; i++) {
      cache.of(link(`passing-${i}`));
      expect(cache.of(kept)).toBe(first);
      expect(cache.size).toBeLessThanOrEqual(10);
    }
    expect(made).toBe(101);
  });
});
