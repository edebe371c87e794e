import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { FrameHistogram } from './frame-histogram.js';
import { METRICS, type MetricDefinition } from './names.js';

const definition: MetricDefinition = {
  name: 'things_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'How long things took,\nin "seconds".',
  labels: ['stage'],
  buckets: [0.001, 0.5, 1, 2.5],
  services: [],
};

/** The same observations by prom-client's own histogram. */
function pair({ name, help, labels, buckets }: MetricDefinition) {
  const [ours, theirs] = [new Registry(), new Registry()];
  const bounds = [...(buckets ?? [])];
  const own = new FrameHistogram(ours, { ...definition, name, help, labels, buckets: bounds });
  const plain = new Histogram({ name, help, labelNames: [...labels], buckets: bounds, registers: [theirs] });
  return { ours, theirs, own, plain };
}

const value = fc.oneof(
  fc.double({ min: -1, max: 5, noNaN: true }),
  fc.constantFrom(0, 0.001, 0.5, 1, 2.5, 2.500001, 1e300),
);

describe('a histogram that is observed once a frame', () => {
  it('shows a scrape what the histogram of prom-client shows, to the letter', async () => {
    const observations = fc.array(fc.tuple(fc.constantFrom('encode', 'decode', 'a "b"\n'), value));
    await fc.assert(
      fc.asyncProperty(observations, async (all) => {
        const { ours, theirs, own, plain } = pair(definition);
        for (const [stage, seconds] of all) {
          own.labels({ stage }).observe(seconds);
          plain.observe({ stage }, seconds);
        }
        expect(await ours.metrics()).toBe(await theirs.metrics());
      }),
      { seed: 1 },
    );
  });

  it('does so without labels too, from before the first observation on', async () => {
    for (const { labels, ...rest } of [METRICS.endToEndLatency, METRICS.channelUses]) {
      const { ours, theirs, own, plain } = pair({ ...rest, labels });
      expect(await ours.metrics()).toBe(await theirs.metrics());
      for (const number of [0, 1, 3, 64, 1e9]) {
        own.labels({}).observe(number);
        plain.observe(number);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
      expect(await ours.getMetricsAsJSON()).toMatchObject([{ name: own.name, type: 'histogram', aggregator: 'sum' }]);
    }
  });

  it('says that a series it was not observed in does not exist, and starts over on reset', async () => {
    const { ours, own } = pair(definition);
    const series = own.labels({ stage: 'encode' });
    expect(await ours.metrics()).not.toContain('encode');
    series.observe(1);
    expect(own.labels({ stage: 'encode' })).toBe(series);
    expect(await ours.metrics()).toContain('things_seconds_count{stage="encode"} 1');
    ours.resetMetrics();
    expect(await ours.metrics()).not.toContain('encode');
  });

  it('refuses what is no finite number', () => {
    const { own } = pair(definition);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => own.labels({ stage: 'x' }).observe(bad)).toThrow(`not ${bad}`);
    }
  });
});
