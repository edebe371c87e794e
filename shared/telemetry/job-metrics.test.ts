import { afterEach, describe, expect, test } from 'vitest';
import { parseExposition, scrape } from '../../test/telemetry/exposition-parse.js';
import { type JobTelemetry, startJobTelemetry, TeachingMetrics, TrainingMetrics } from './job-metrics.js';
import { type JobName, METRICS, type MetricDefinition } from './names.js';

const step = { task: 2, auxiliary: 1, teacher: 0.5, bits: 12, accuracy: 0.25 };

let telemetry: JobTelemetry | undefined;
afterEach(() => telemetry?.close());

const jobs = [
  ['distiller', () => new TrainingMetrics()],
  ['teacher', () => new TeachingMetrics()],
] as const satisfies [JobName, () => unknown][];

describe.each(jobs)('metrics of the %s', (job, create) => {
  test('are those that the schema lists for it, no more and no less', async () => {
    const { types } = parseExposition(await create().registry.metrics());
    const named = (Object.values(METRICS) as MetricDefinition[]).filter(({ services }) => services.includes(job));
    const ours = [...types].filter(([name]) => name.startsWith('semlink_'));
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(named.map(({ name, type }) => [name, type])));
  });
});

test('of a training run, the loss is an average that follows the steps, the counters are sums', async () => {
  const metrics = new TrainingMetrics();
  const read = async () => parseExposition(await metrics.registry.metrics());
  metrics.enter('training');
  metrics.step(step, 128, 0.03, 0.1, 2);
  expect((await read()).value('semlink_training_loss_nats', { term: 'task' })).toBe(2);
  metrics.step({ ...step, task: 0 }, 128, 0.3, 0.2, 2);
  expect((await read()).value('semlink_training_loss_nats', { term: 'task' })).toBeCloseTo(1.9, 9);
  for (let i = 0; i < 200; i++) metrics.step({ ...step, task: 0, bits: 20 }, 128, 0.03, 0.3, 2);
  const scrape = await read();
  expect(scrape.value('semlink_training_loss_nats', { term: 'task' })).toBeLessThan(1e-3);
  expect(scrape.value('semlink_training_loss_nats', { term: 'teacher' })).toBe(0.5);
  expect(scrape.value('semlink_training_semantic_bits')).toBeCloseTo(20, 2);
  expect(scrape.value('semlink_training_images_total')).toBe(202 * 128);
  expect(scrape.value('semlink_training_step_seconds_count')).toBe(202);
  expect(scrape.value('semlink_training_epoch')).toBe(0.3);
  metrics.epoch(0.01, { 'awgn -6 dB k=64': 0.8 });
  metrics.enter('calibrating');
  const after = await read();
  expect(after.value('semlink_training_holdout_accuracy_ratio', { point: 'awgn -6 dB k=64' })).toBe(0.8);
  expect(after.value('semlink_job_phase', { phase: 'training' })).toBe(0);
  expect(after.value('semlink_job_phase', { phase: 'calibrating' })).toBe(1);
});

test('a loss that is no number is shown as it is, for the alert', async () => {
  const metrics = new TrainingMetrics();
  metrics.step({ ...step, task: Number.NaN }, 128, 0.03, 0.1, 2);
  const { value } = parseExposition(await metrics.registry.metrics());
  expect(value('semlink_training_loss_nats', { term: 'task' })).toBeNaN();
});

test('are served where they are asked for, and nowhere otherwise', async () => {
  const metrics = new TeachingMetrics();
  expect((await startJobTelemetry('off', metrics)).url).toBeUndefined();
  telemetry = await startJobTelemetry('127.0.0.1:0', metrics);
  metrics.taught(30);
  metrics.progress(0.25, 90);
  const scraped = await scrape(telemetry.url!.replace(/\/metrics$/, ''));
  expect(scraped.value('semlink_teaching_views_total')).toBe(30);
  expect(scraped.value('semlink_job_progress_ratio')).toBe(0.25);
  expect(scraped.value('semlink_job_remaining_seconds')).toBe(90);
  expect(scraped.value('semlink_build_info', { service: 'teacher' })).toBe(1);
});
