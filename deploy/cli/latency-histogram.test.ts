import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.js';

const filled = (latencies: readonly number[]) => {
  const histogram = new LatencyHistogram();
  for (const seconds of latencies) histogram.add(seconds);
  return histogram;
};

describe('quantiles of latencies', () => {
  it('are 0 when there is nothing yet', () => {
    expect(new LatencyHistogram().quantile(0.5)).toBe(0);
  });

  it('are never below the exact one and at most a bucket above it', () => {
    const latency = fc.double({ min: 2e-6, max: 1e4, noNaN: true });
    const share = fc.double({ min: 0.001, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), share, (latencies, q) => {
        const exact = [...latencies].sort((a, b) => a - b)[Math.ceil(q * latencies.length) - 1]!;
        const quantile = filled(latencies).quantile(q);
        // Rounding at the edge of a bucket aside.
        expect(quantile).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(quantile).toBeLessThanOrEqual(exact * 2 ** (1 / 64) * (1 + 1e-9));
      }),
    );
  });

  it('do not depend on the order and rise with the share', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 1 }), (latencies) => {
        const forward = filled(latencies);
        const backward = filled([...latencies].reverse());
        const quantiles = [0.1, 0.5, 0.9, 0.99, 1].map((q) => forward.quantile(q));
        expect(quantiles).toEqual([0.1, 0.5, 0.9, 0.99, 1].map((q) => backward.quantile(q)));
        expect(quantiles).toEqual([...quantiles].sort((a, b) => a - b));
      }),
    );
  });

  it('take what is below a microsecond for one', () => {
    expect(filled([0]).quantile(1)).toBeCloseTo(1e-6, 7);
    expect(filled([1e-9]).quantile(1)).toBe(filled([0]).quantile(1));
  });
});
