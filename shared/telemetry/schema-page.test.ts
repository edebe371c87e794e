import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../build/compiled.js';
import { LABELS, type LabelName, labelValues, type MetricName } from './label-values.js';
import { ATTRIBUTES, LOG_FIELDS, METRICS, PROCESS_METRICS, SPANS } from './names.js';
import { schemaPage } from './schema-page.js';

const page = () => readFile(path.join(projectRoot, 'shared/telemetry/TELEMETRY.md'), 'utf8');

it('TELEMETRY.md is what `npm run docs:telemetry` writes', async () => {
  expect(await page()).toBe(schemaPage());
});

it('has every name of the schema once as the head of a line of a table', async () => {
  const text = await page();
  const names = [
    ...Object.values(METRICS).map(({ name }) => name),
    ...PROCESS_METRICS.map(({ name }) => name),
    ...Object.values(SPANS),
    ...Object.values(ATTRIBUTES),
  ];
  for (const name of names) {
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`| \`${name}\` |`) && !/^\| `\w+` \| [^|]* \| [\d. ]+ \|$/.test(line));
    expect(lines, name).toHaveLength(1);
  }
  for (const name of Object.values(LOG_FIELDS)) expect(text).toContain(`| \`${name}\` |`);
});

it('bounds every label of every metric', () => {
  for (const [name, { labels }] of Object.entries(METRICS)) {
    for (const label of labels) {
      const values = labelValues(name as MetricName, label as LabelName);
      if ('bound' in values) expect(values.bound).toMatch(/./);
      else expect(new Set(values).size, `${name} ${label}`).toBe(values.length);
    }
  }
  const used = new Set(Object.values(METRICS).flatMap(({ labels }): readonly string[] => labels));
  expect(Object.keys(LABELS).filter((label) => !used.has(label))).toEqual([]);
});
