import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.js';

const key = fc.constantFrom('a', 'b', 'c', 'd');

describe('FairQueue', () => {
  it('loses, doubles and reorders nothing within a key, whatever is pushed and taken', () => {
    const action = fc.oneof(
      key.map((of) => ({ of })),
      fc.integer({ min: 1, max: 6 }).map((count) => ({ count })),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const queue = new FairQueue<{ of: string; n: number }>();
        const pushed: { of: string; n: number }[] = [];
        const taken: { of: string; n: number }[] = [];
        for (const [n, one] of actions.entries()) {
          if ('of' in one) {
            const item = { of: one.of, n };
            pushed.push(item);
            queue.push(one.of, item);
          } else {
            const waiting = pushed.length - taken.length;
            const part = queue.take(one.count);
            expect(part).toHaveLength(Math.min(one.count, waiting));
            taken.push(...part);
          }
          expect(queue.length).toBe(pushed.length - taken.length);
        }
        taken.push(...queue.take(1000));
        const by = (items: typeof taken) => ['a', 'b', 'c', 'd'].map((of) => items.filter((item) => item.of === of));
        expect(by(taken)).toEqual(by(pushed));
      }),
    );
  });

  it('shares what is taken evenly: a key with much never has two more than one that waits for as many', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 60 }), (counts, take) => {
        const queue = new FairQueue<number>();
        counts.forEach((count, of) => {
          for (let i = 0; i < count; i++) queue.push(String(of), of);
        });
        const got = counts.map(() => 0);
        for (const of of queue.take(take)) got[of]!++;
        const most = Math.max(...got);
        got.forEach((count, of) => {
          if (count < counts[of]!) expect(count).toBeGreaterThanOrEqual(most - 1);
        });
      }),
    );
  });

  it('lets every key come in turn where less is taken than keys wait', () => {
    const queue = new FairQueue<string>();
    for (const of of ['a', 'b', 'c']) for (let i = 0; i < 2; i++) queue.push(of, of);
    expect([1, 2, 3, 4, 5, 6].flatMap(() => queue.take(1))).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });
});
