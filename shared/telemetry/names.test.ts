import { describe, expect, test } from 'vitest';
import { ATTRIBUTES, CODE_NAMES, LOG_FIELDS, METRICS, type MetricDefinition, SPANS, STAGES } from './names.js';

const metrics: readonly MetricDefinition[] = Object.values(METRICS);

describe('metric names', () => {
  test('are unique, ours and valid in Prometheus', () => {
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
    for (const { name, labels } of metrics) {
      expect(name).toMatch(/^semlink_[a-z][a-z0-9_]*[a-z0-9]$/);
      for (const label of labels) {
        expect(label).toMatch(/^[a-z][a-z0-9_]*$/);
        expect(label).not.toMatch(/^(le|quantile|__.*)$/);
      }
    }
  });

  test.each(metrics)(
    '$name follows the rules of its type and unit',
    ({ name, type, unit, help, buckets, services }) => {
      expect(name.endsWith('_total')).toBe(type === 'counter');
      // Suffixes a histogram makes for itself.
      expect(name).not.toMatch(/_(count|sum|bucket)$/);
      if (unit === 'seconds') expect(name).toMatch(/_seconds$/);
      if (unit === 'bytes') expect(name).toMatch(/_bytes(_total)?$/);
      if (unit === 'dB') expect(name).toMatch(/_db$/);
      expect(help).toMatch(/\.$/);
      expect(services.length).toBeGreaterThan(0);
      expect(buckets !== undefined).toBe(type === 'histogram');
      if (buckets) expect([...buckets].sort((a, b) => a - b)).toEqual([...new Set(buckets)]);
    },
  );

  test('the latency buckets reach from half a millisecond to 30 s', () => {
    const { buckets } = METRICS.endToEndLatency;
    expect([buckets[0], buckets.at(-1)]).toEqual([0.0005, 30]);
  });
});

test('spans, attributes and log fields are unique', () => {
  for (const names of [SPANS, ATTRIBUTES, LOG_FIELDS]) {
    const values: string[] = Object.values(names);
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(value).toMatch(/^[a-z][a-z_.]*[a-z]$/);
  }
});

test('stages are those of the contract, codes those of google.rpc.Code', () => {
  expect(Object.keys(STAGES)).toEqual(['encode_queue', 'encode', 'channel', 'decode_queue', 'decode']);
  expect([CODE_NAMES[3], CODE_NAMES[5], CODE_NAMES[8], CODE_NAMES[14], CODE_NAMES[16]]).toEqual([
    'INVALID_ARGUMENT',
    'NOT_FOUND',
    'RESOURCE_EXHAUSTED',
    'UNAVAILABLE',
    'UNAUTHENTICATED',
  ]);
});
