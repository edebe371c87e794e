import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CoerceError, coerce } from './coerce.js';

test('finite decimal numbers read back as themselves', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(coerce(String(value), { type: 'number' })).toBe(Object.is(value, -0) ? 0 : value);
    }),
  );
});

test('text that is no number is refused, never read as 0 or NaN', () => {
  for (const text of ['', ' ', 'NaN', 'Infinity', '0x10', '1 2', '--3', '1e']) {
    expect(() => coerce(text, { type: 'number' }), text).toThrow(CoerceError);
  }
});

test('suffixes scale to the unit of the option', () => {
  const number = { type: 'number' };
  expect(coerce('2m', number, 's')).toBe(120);
  expect(coerce('1h', number, 'ms')).toBe(3_600_000);
  expect(coerce('1_000 us', number, 'us')).toBe(1000);
  expect(coerce('1.5 MiB', number, 'bytes')).toBe(1.5 * 2 ** 20);
  expect(coerce('2MB', number, 'bytes')).toBe(2e6);
  expect(coerce('-6 dB', number, 'dB')).toBe(-6);
  expect(() => coerce('2s', number, 'bytes')).toThrow('unknown unit; known units: b, kb');
  expect(() => coerce('2s', number)).toThrow('unknown unit');
});

test('booleans by the words people use', () => {
  expect(['true', 'YES', 'on', '1'].map((text) => coerce(text, { type: 'boolean' }))).toEqual([true, true, true, true]);
  expect(['false', 'no', 'Off', '0'].map((text) => coerce(text, { type: 'boolean' }))).not.toContain(true);
  expect(() => coerce('perhaps', { type: 'boolean' })).toThrow('neither true nor false');
});

test('objects are JSON, empty text is the empty list', () => {
  expect(coerce('{"a":1}', { type: 'object' })).toEqual({ a: 1 });
  expect(() => coerce('{', { type: 'object' })).toThrow('is not JSON');
  expect(coerce('', { type: 'array', items: { type: 'number' } })).toEqual([]);
});
