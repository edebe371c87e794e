import fc from 'fast-check';
import { expect, it } from 'vitest';
import { InOrder } from './in-order.js';

it('sends in the order of the places, in whatever order they get ready, and none twice', () => {
  const permutation = fc.integer({ min: 1, max: 40 }).chain((n) => {
    const all = Array.from({ length: n }, (_, i) => i);
    return fc.shuffledSubarray(all, { minLength: n, maxLength: n });
  });
  fc.assert(
    fc.property(permutation, (order) => {
      const line = new InOrder();
      const sent: number[] = [];
      const ready = order.map(() => line.place());
      for (const [done, place] of order.entries()) {
        ready[place]!(() => sent.push(place));
        const until = ready.findIndex((_, i) => !order.slice(0, done + 1).includes(i));
        expect(sent).toHaveLength(until < 0 ? ready.length : until);
      }
      expect(sent).toEqual(ready.map((_, i) => i));
    }),
  );
});
