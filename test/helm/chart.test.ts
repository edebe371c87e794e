/** The chart as helm and Kubernetes see it: rendered as the files say, valid in five versions, refusing what is wrong. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CASES, copies, readme, render } from '../../deploy/helm/generate.mjs';
import { projectRoot } from '../../shared/build/compiled.js';
import { hasHelm, hasSchemas, helm, schemaProblems } from './chart.fixture.js';

const folder = path.join(projectRoot, 'deploy/helm');
const chart = path.join(folder, 'semlink');
const read = (file: string) => readFileSync(file, 'utf8');
const rendered = (name: string) => path.join(folder, 'rendered', `${name}.yaml`);
const again = 'run: node deploy/helm/generate.mjs';

describe.runIf(hasHelm)('the chart', { timeout: 60_000 }, () => {
  it.each(Object.entries(CASES))('is without complaint by helm lint, values: %s', async (_, values) => {
    const text = await helm('lint', '--strict', chart, ...(values ? ['--values', values] : []));
    expect(text).toContain('0 chart(s) failed');
    expect(text).not.toMatch(/WARNING|ERROR/);
  });

  it.each(Object.entries(CASES))('renders as rendered/%s.yaml says', (name, values) => {
    expect(render(values), again).toBe(read(rendered(name)));
  });

  it.each([
    ['transmitterEncoder.replica=3', "additional properties 'replica' not allowed"],
    ['image.pullPolicy=Sometimes', 'pullPolicy'],
    ['models.source=ftp', '/models/source'],
    ['models.weights.m-cifar10-3=many', '/models/weights/m-cifar10-3'],
    ['drainLimitMs=-1', '/drainLimitMs'],
    ['receiverDecoder.gpu.count=0.5', '/receiverDecoder/gpu/count'],
    ['knowledge.s3.url=http://x', '/knowledge/s3/url'],
    [
      'transmitterEncoder.autoscaling.enabled=true,transmitterEncoder.autoscaling.cpuPercent=0',
      'cpuPercent and queueBytes are both 0',
    ],
    ['tls.enabled=true', 'tls.existingSecret: name the Secret'],
    ['models.source=s3', 'models.s3.url: name the bucket'],
    ['teach.enabled=true', 'teach.enabled needs teacherCache.enabled'],
    ['distill.enabled=true', 'distill.enabled needs models.source pvc or s3'],
  ])('refuses %s and says why', async (value, why) => {
    await expect(helm('template', 'x', chart, '--set', value)).rejects.toThrow(why);
  });

  const bucket =
    'distill.enabled=true,distill.set=mine,models.source=s3,models.s3.url=s3://models,models.s3.endpoint=http://m:9000';
  it.each([
    [
      'the teacher-cache, where there is one',
      'teacherCache.enabled=true',
      'grpc://x-semlink-teacher-cache-pods.default',
    ],
    [
      'a bucket',
      'knowledge.source=s3,knowledge.s3.url=s3://knowledge/sets,knowledge.s3.endpoint=http://m:9000',
      's3://knowledge/sets/mine',
    ],
    ['a volume', 'knowledge.source=pvc', '/knowledge/mine'],
  ])('distils from %s, into a bucket', async (_, value, from) => {
    const text = await helm('template', 'x', chart, '-s', 'templates/jobs.yaml', '--set', `${bucket},${value}`);
    expect(text).toContain(`--knowledge=${from}`);
    expect(text).toContain('--publish-to=s3://models\n');
    expect(text.match(/--s3-endpoint=/g)).toEqual(['--s3-endpoint=']);
    expect(text.includes('claimName: x-semlink-knowledge')).toBe(value === 'knowledge.source=pvc');
  });

  it('refuses two object stores for one command, and says what to do', async () => {
    const other = 'knowledge.source=s3,knowledge.s3.url=s3://knowledge,knowledge.s3.endpoint=http://other:9000';
    await expect(helm('template', 'x', chart, '--set', `${bucket},${other}`)).rejects.toThrow(
      'distill.set needs teacherCache.enabled: one command cannot read knowledge and store models with another s3.endpoint each',
    );
  });
});

describe.runIf(hasSchemas)('rendered manifests', { timeout: 120_000 }, () => {
  it.each(['1.30', '1.31', '1.32', '1.33', '1.34'])('are valid in Kubernetes %s', async (version) => {
    for (const name of Object.keys(CASES)) expect(await schemaProblems(rendered(name), version)).toBe('');
  });
});

describe('what is made from something else', () => {
  it('the table of values is that of values.yaml', () => {
    const file = path.join(chart, 'README.md');
    expect(readme(read(file), read(path.join(chart, 'values.yaml'))), again).toBe(read(file));
  });

  it('rules and dashboards are those of deploy/observability', () => {
    const found = copies();
    expect(found.length).toBeGreaterThan(3);
    for (const { source, target } of found) {
      expect(existsSync(target), `${target}: ${again}`).toBe(true);
      expect(read(target), again).toBe(read(source));
    }
  });
});
