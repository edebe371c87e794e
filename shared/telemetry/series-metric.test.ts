import { Counter, Gauge, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ExpositionWriter } from './exposition.js';
import type { MetricDefinition } from './names.js';
import { SeriesMetric } from './series-metric.js';

const base = { unit: '1', help: 'What it is.', services: [] } as const;
const counter: MetricDefinition = { ...base, name: 'semlink_x_total', type: 'counter', labels: ['link', 'what'] };
const gauge: MetricDefinition = { ...base, name: 'semlink_y', type: 'gauge', labels: [] };
const links = ['a', 'back\\slash', 'quo"te', 'new\nline'];

describe('SeriesMetric', () => {
  it.each(['text/plain', 'application/openmetrics-text'])('shows in %s what prom-client would show', async (accept) => {
    const ours = new Registry();
    const theirs = new Registry();
    const series = new SeriesMetric(ours, counter);
    const { name, help } = counter;
    const plain = new Counter({ name, help, labelNames: counter.labels, registers: [theirs] });
    for (const [i, link] of links.entries()) {
      series.of({ link, what: 'w' }).add(i + 0.5);
      plain.inc({ link, what: 'w' }, i + 0.5);
    }
    const level = new SeriesMetric(ours, gauge);
    const plainLevel = new Gauge({ name: gauge.name, help, registers: [theirs] });
    for (const value of [-1.5, Number.POSITIVE_INFINITY]) {
      level.of({}).set(value);
      plainLevel.set(value);
      const seen = await new ExpositionWriter(ours).render(accept);
      expect(seen).toEqual(await new ExpositionWriter(theirs).render(accept));
      // Also for those who ask the registry itself.
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }
  });

  it('writes what has changed, however many series there are', async () => {
    const ours = new Registry();
    const theirs = new Registry();
    const series = new SeriesMetric(ours, counter);
    const { name, help } = counter;
    const plain = new Counter({ name, help, labelNames: counter.labels, registers: [theirs] });
    const add = (link: string, amount: number) => {
      series.of({ link, what: 'w' }).add(amount);
      plain.inc({ link, what: 'w' }, amount);
    };
    const compare = async () => {
      const accept = 'application/openmetrics-text';
      expect(await new ExpositionWriter(ours).render(accept)).toEqual(
        await new ExpositionWriter(theirs).render(accept),
      );
    };
    for (let i = 0; i < 130; i++) add(`link-${i}`, 0);
    await compare();
    await compare();
    add('link-0', 1);
    add('link-129', 2);
    add('link-130', 0);
    await compare();
    add('link-64', 0.5);
    await compare();
    series.reset();
    plain.reset();
    for (let i = 0; i <= 130; i++) plain.inc({ link: `link-${i}`, what: 'w' }, 0);
    await compare();
  });

  it('has one series a set of values, and refuses a histogram', () => {
    const metric = new SeriesMetric(new Registry(), counter);
    expect(metric.of({ link: 'a', what: 'b' })).toBe(metric.of({ link: 'a', what: 'b' }));
    expect(metric.of({ link: 'a', what: 'b' })).not.toBe(metric.of({ link: 'b', what: 'b' }));
    expect(() => new SeriesMetric(new Registry(), { ...counter, type: 'histogram' })).toThrow('is a histogram');
  });
});
