/**
 * The schema and what really leaves the services are the same: the services run as processes, real images go over the link,
 * knowledge is stored and handed out, a model is distilled and a teacher teaches; what is rare is made to happen. Then every
 * metric, label value, span, attribute and log field that was seen is of the schema, and all of the schema was seen.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ATTRIBUTES,
  gpuIsVisible,
  type InstrumentedService,
  type JobName,
  LOG_FIELDS,
  METRICS,
  type MetricDefinition,
  PROCESS_METRICS,
  SPANS,
  WORKER_METRICS,
} from '../../shared/telemetry/index.js';
import { type LabelName, labelValues, type MetricName } from '../../shared/telemetry/label-values.js';
import { type Everything, seeEverything } from './everything.fixture.js';

let seen: Everything;
beforeAll(async () => {
  seen = await seeEverything();
}, 180_000);

/** Nothing shows these where there is no GPU. */
const ofGpus: readonly string[] = gpuIsVisible() ? [] : [METRICS.gpuMemory.name, METRICS.gpuBusy.name];

const definitions = new Map<string, [MetricName, MetricDefinition]>(
  Object.entries(METRICS).map(([key, one]) => [one.name, [key as MetricName, one]]),
);
/** `semlink_x_seconds_bucket` is of `semlink_x_seconds`. */
function familyOf(sample: string): string {
  if (definitions.has(sample) || PROCESS_METRICS.some(({ name }) => name === sample)) return sample;
  return sample.replace(/_(bucket|sum|count)$/, '');
}

const reporters: (InstrumentedService | JobName)[] = [
  ...new Set(Object.values<MetricDefinition>(METRICS).flatMap(({ services }) => services)),
];

describe.each(reporters)('metrics of the %s', (who) => {
  const samples = () => seen.scrapes[who]!.flatMap((scrape) => scrape.samples);

  it('are all of the schema, each with samples', () => {
    const found = new Set(samples().map(({ name }) => familyOf(name)));
    const due = Object.values<MetricDefinition>(METRICS).filter(({ services }) => services.includes(who));
    const missing = due.filter(({ name }) => !found.has(name) && !ofGpus.includes(name)).map(({ name }) => name);
    expect(missing).toEqual([]);
  });

  it('are no others, by type, labels and values of labels', () => {
    for (const { types } of seen.scrapes[who]!) {
      for (const [name, type] of types) {
        const process = PROCESS_METRICS.find((one) => one.name === name);
        const definition = process ?? definitions.get(name)?.[1];
        expect(definition, name).toBeDefined();
        expect(type, name).toBe(definition!.type);
        if (!process) expect(definitions.get(name)![1].services, name).toContain(who);
      }
    }
    for (const { name, labels } of samples()) {
      const [key, definition] = definitions.get(familyOf(name)) ?? [];
      if (!key || !definition) continue;
      for (const [label, value] of Object.entries(labels)) {
        if (label === 'le' && definition.type === 'histogram') continue;
        expect(definition.labels, name).toContain(label);
        const values = labelValues(key, label as LabelName);
        if (!('bound' in values)) expect(values, `${name} ${label}`).toContain(value);
      }
    }
  });
});

it('metrics of processes are all of the schema', () => {
  // A garbage collector may have had nothing to do in one of them.
  const all = Object.values(seen.scrapes).flatMap((scrapes) => scrapes.flatMap(({ samples }) => samples));
  const found = new Set(all.map(({ name }) => familyOf(name)));
  expect(PROCESS_METRICS.map(({ name }) => name).filter((name) => !found.has(name))).toEqual([]);
});

it('metrics of workers are all of the schema, and what the workers measure has their number', () => {
  if (!seen.workers) return;
  const { samples } = seen.workers;
  for (const { name, labels } of Object.values(WORKER_METRICS)) {
    const own = samples.filter((one) => one.name === name);
    expect(own.map((one) => Object.keys(one.labels))).toEqual([labels, labels]);
  }
  for (const { name, labels } of samples) {
    expect(labels.worker, name).toMatch(/^[01]$/);
    const isOwn = Object.values(WORKER_METRICS).some((one) => one.name === name);
    if (!isOwn && name.startsWith('semlink_')) expect(definitions.has(familyOf(name)), name).toBe(true);
  }
});

describe('spans', () => {
  it('are all of the schema, and no others', () => {
    const names = new Set(seen.spans.map(({ name }) => name));
    expect([...names].sort()).toEqual(Object.values(SPANS).sort());
  });

  it('have all attributes of the schema, and no others', () => {
    const names = new Set(seen.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...names].sort()).toEqual(Object.values(ATTRIBUTES).sort());
  });
});

describe('log lines', () => {
  it('have all fields of the schema, and no others', () => {
    const fields = new Set(seen.log.flatMap((line) => Object.keys(line)));
    expect([...fields].sort()).toEqual(Object.values(LOG_FIELDS).sort());
  });
});
