import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BoundedLabels, LinkLabels } from './bounded-labels.js';

test('whatever comes, at most limit + 1 values leave, and each input always gives the same one', () => {
  fc.assert(
    fc.property(fc.nat({ max: 20 }), fc.array(fc.string({ maxLength: 80 }), { maxLength: 200 }), (limit, inputs) => {
      const labels = new LinkLabels(limit);
      const first = new Map(inputs.map((input) => [input, labels.fold(input)]));
      expect(new Set(first.values()).size).toBeLessThanOrEqual(limit + 1);
      for (const [input, output] of first) {
        expect(labels.fold(input)).toBe(output);
        expect([input, 'other']).toContain(output);
      }
    }),
  );
});

test('the first links keep their names, later ones and impossible ones share one', () => {
  const labels = new LinkLabels(2);
  expect(['a', 'b', 'c', 'a', '', 'x'.repeat(65), 'ü'].map((link) => labels.fold(link))).toEqual([
    'a',
    'b',
    'other',
    'a',
    'other',
    'other',
    'other',
  ]);
});

test('a limit that is no count is refused', () => {
  expect(() => new BoundedLabels(-1)).toThrow('not -1');
  expect(() => new BoundedLabels(1.5)).toThrow('not 1.5');
});
