import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ExpositionWriter } from './exposition.js';
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
        for (const accept of ['text/plain', 'application/openmetrics-text']) {
          const seen = await new ExpositionWriter(ours).render(accept);
          expect(seen).toEqual(await new ExpositionWriter(theirs).render(accept));
        }
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

  it('writes the exemplars of its buckets as prom-client does', async () => {
    const { ours, own } = pair(definition);
    own.labels({ stage: 'encode' }).observe(0.75, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    own.labels({ stage: 'encode' }).observe(7, '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    own.labels({ stage: 'decode' }).observe(0.75, 'whatever');
    const { body } = await new ExpositionWriter(ours).render('application/openmetrics-text');
    ours.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    expect(body).toBe(await ours.metrics());
    expect(body.match(/# \{trace_id="[01]af7/g)).toHaveLength(2);
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
