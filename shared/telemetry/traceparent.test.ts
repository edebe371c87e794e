import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTraceparent, parseTraceparent } from './traceparent.js';

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''))
    .filter((text) => /[^0]/.test(text));

test('a sampled context survives the way through a frame', () => {
  fc.assert(
    fc.property(hex(32), hex(16), (traceId, spanId) => {
      const context = { traceId, spanId, traceFlags: 1 };
      expect(parseTraceparent(formatTraceparent(context))).toEqual({ ...context, isRemote: true });
    }),
  );
});

test('whatever a peer sends, nothing throws', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseTraceparent(text)).toBeUndefined();
    }),
  );
});

test('the rules of W3C Trace Context', () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const span = '00f067aa0ba902b7';
  expect(parseTraceparent(`00-${trace}-${span}-01`)).toMatchObject({ traceId: trace, spanId: span });
  expect(parseTraceparent(`cc-${trace}-${span}-01-what-the-future-brings`)).toBeDefined();
  for (const refused of [
    `00-${trace}-${span}-00`,
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-${span}`,
  ]) {
    expect(parseTraceparent(refused), refused).toBeUndefined();
  }
});
