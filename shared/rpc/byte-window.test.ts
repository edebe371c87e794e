import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWindow } from './byte-window.js';
import { Code, SemlinkError } from './errors.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ByteWindow', () => {
  it('admits first come, first served, and never more than the limit unless one item alone is larger', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 40 }),
        async (limit, sizes) => {
          const window = new ByteWindow(limit);
          const admitted: number[] = [];
          for (const [index, bytes] of sizes.entries()) void window.acquire(bytes).then(() => admitted.push(index));
          let released = 0;
          for (let turn = 0; released < sizes.length; turn++) {
            expect(turn).toBeLessThanOrEqual(sizes.length);
            await settled();
            expect(window.used).toBeLessThanOrEqual(Math.max(limit, ...admitted.slice(released).map((i) => sizes[i]!)));
            if (window.used > limit) expect(admitted.length - released).toBe(1);
            window.release(sizes[admitted[released++]!]!);
          }
          await settled();
          expect(admitted).toEqual(sizes.map((_, index) => index));
          expect(window.used).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('does not let a small one overtake one that waits', async () => {
    const window = new ByteWindow(10);
    expect(window.tryAcquire(8)).toBe(true);
    const large = window.acquire(5);
    expect(window.tryAcquire(1)).toBe(false);
    window.release(8);
    await large;
    expect(window.tryAcquire(5)).toBe(true);
  });

  it('lets go of one that gives up, and admits those that it held up', async () => {
    const window = new ByteWindow(10);
    window.tryAcquire(8);
    const abort = new AbortController();
    const large = window.acquire(5, abort.signal);
    const small = window.acquire(2);
    abort.abort(new Error('gave up'));
    await expect(large).rejects.toThrow('gave up');
    await small;
    expect(window).toMatchObject({ used: 10, waiting: 0 });
  });

  it('refuses who waits and who comes after it was closed', async () => {
    const window = new ByteWindow(1);
    window.tryAcquire(1);
    const waits = window.acquire(1);
    window.close(new SemlinkError(Code.CANCELLED, 'closed'));
    await expect(waits).rejects.toThrow('closed');
    await expect(window.acquire(1)).rejects.toThrow('closed');
    expect(window.tryAcquire(1)).toBe(false);
  });
});
