import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, suggest } from './suggest.js';

test('distances of known words', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('', 'abc')).toBe(3);
});

test('the distance is a metric', () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
    }),
  );
});

test('a near word is suggested, a far one is not', () => {
  expect(suggest('seeed', ['seed', 'images'])).toBe('seed');
  expect(suggest('zzzzzz', ['seed', 'images'])).toBeUndefined();
});
