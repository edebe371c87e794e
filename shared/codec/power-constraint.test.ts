import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limitPeak, PEAK_LIMIT } from './power-constraint.js';

const symbols = fc.float32Array({ minLength: 2, maxLength: 64, noNaN: true, noDefaultInfinity: true });

test('every real component that is emitted, sqrt(2) times the limited one, is within 1', () => {
  fc.assert(
    fc.property(symbols, (s) => {
      for (const x of limitPeak(s)) expect(Math.abs(Math.SQRT2 * x)).toBeLessThanOrEqual(1 + 1e-6);
    }),
  );
});

test('components within the limit pass as they are, and the sign of all is kept', () => {
  fc.assert(
    fc.property(symbols, (s) => {
      limitPeak(s).forEach((x, i) => {
        if (Math.abs(s[i]!) <= PEAK_LIMIT) expect(x).toBe(s[i]);
        else expect(Math.sign(x)).toBe(Math.sign(s[i]!));
      });
    }),
  );
});

test('unit-power QPSK loses nothing: its peak SNR is its average SNR', () => {
  const qpsk = Float32Array.of(Math.SQRT1_2, -Math.SQRT1_2, -Math.SQRT1_2, Math.SQRT1_2);
  expect([...limitPeak(qpsk)].map(Math.abs)).toEqual([...qpsk].map((x) => expect.closeTo(Math.abs(x), 6)));
});
