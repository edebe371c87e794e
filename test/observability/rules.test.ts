import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { ERROR_CAUSES } from '../../shared/telemetry/index.js';
import { hasPrometheus, PROMETHEUS_FOLDER, promtool, ruleFiles } from './prometheus.fixture.js';
import { recordedSeries, unknownNames } from './schema-names.js';

let folder: string;
let rules: { name: string; text: string }[];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-rules-'));
  rules = await ruleFiles();
});
afterAll(() => rm(folder, { recursive: true }));

const read = (name: string) => readFile(path.join(PROMETHEUS_FOLDER, name), 'utf8');

describe.runIf(hasPrometheus)('promtool', { timeout: 180_000 }, () => {
  it.each(['prometheus.yaml', 'prometheus.compose.yaml'])('takes %s with all rules', (name) => {
    const { status, output } = promtool('check', 'config', name);
    expect(status, output).toBe(0);
    expect(output).toContain('3 rule files found');
  });

  it('finds nothing to complain of in the rules, nor in their style', () => {
    const { status, output } = promtool(
      'check',
      'rules',
      '--lint=all',
      '--lint-fatal',
      ...rules.map(({ name }) => `rules/${name}`),
    );
    expect(status, output).toBe(0);
  });

  it('passes the unit tests of the rules', async () => {
    const tests = (await readdir(path.join(PROMETHEUS_FOLDER, 'tests'))).map((name) => `tests/${name}`);
    const { status, output } = promtool('test', 'rules', ...tests);
    expect(status, output).toBe(0);
  });

  it('finds a pod as the service that its labels say, on the port for metrics, and no other pod', async () => {
    // Debian's build knows no Kubernetes: the labels that it would give come from a file instead, as if discovered.
    const pod = (component: string, port: string, name = 'semlink') => ({
      targets: [`10.0.0.1:${port === 'http' ? 9464 : 50051}`],
      labels: {
        __meta_kubernetes_pod_label_app_kubernetes_io_name: name,
        __meta_kubernetes_pod_label_app_kubernetes_io_component: component,
        __meta_kubernetes_pod_container_port_name: port,
        __meta_kubernetes_namespace: 'radio',
        __meta_kubernetes_pod_name: `${component}-1`,
        __meta_kubernetes_pod_node_name: 'node-1',
        __meta_kubernetes_pod_phase: 'Running',
      },
    });
    const pods = [
      pod('transmitter-encoder', 'http'),
      pod('transmitter-encoder', 'grpc'),
      pod('transmitter-encoder', 'http', 'other'),
      pod('console', 'page'),
      pod('something', 'http'),
    ];
    await writeFile(path.join(folder, 'pods.json'), JSON.stringify(pods));
    const committed = await read('prometheus.kubernetes.yaml');
    expect(committed).toContain('kubernetes_sd_configs:\n      - role: pod\n');
    const asFile = committed
      .replace(/kubernetes_sd_configs:\n +- role: pod\n/, 'file_sd_configs:\n      - files: [pods.json]\n')
      .replace('rules/*.yaml', `${PROMETHEUS_FOLDER}/rules/*.yaml`);
    await writeFile(path.join(folder, 'prometheus.yaml'), asFile);
    const config = path.join(folder, 'prometheus.yaml');
    const { status, stdout, output } = promtool('check', 'service-discovery', '--timeout=3s', config, 'semlink');
    expect(status, output).toBe(0);
    const found = JSON.parse(stdout) as { labels: Record<string, string> }[];
    const kept = found.map(({ labels }) => labels).filter((labels) => Object.keys(labels).length > 0);
    expect(kept).toEqual([
      expect.objectContaining({
        job: 'transmitter-encoder',
        instance: '10.0.0.1:9464',
        namespace: 'radio',
        pod: 'transmitter-encoder-1',
        node: 'node-1',
      }),
    ]);
  });
});

describe('the rules', () => {
  it('name only metrics and labels of the schema, and what they record themselves', () => {
    const recorded = new Set(rules.flatMap(({ text }) => recordedSeries(text)));
    expect(recorded.size).toBeGreaterThan(30);
    const exprs = rules.flatMap(({ text }) =>
      [...text.matchAll(/^ +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/gm)].map(([, block, line]) => block ?? line!),
    );
    expect(exprs.length).toBeGreaterThan(50);
    for (const expr of exprs) expect(unknownNames(expr, recorded), expr).toEqual([]);
    expect(unknownNames('rate(semlink_frame_total[5m])', recorded)).toEqual(['semlink_frame_total']);
    expect(unknownNames('sum by (lnk) (semlink_frames_total{outcom="result"})', recorded)).toEqual([
      'semlink_frames_total{outcom}',
      'by (lnk)',
    ]);
  });

  it('lead from every alert to a section of the runbook, which has none for alerts that are not', async () => {
    const alerts = rules.find(({ name }) => name === 'alerts.yaml')!.text;
    const names = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    const links = [...alerts.matchAll(/runbook_url: (\S+)#(\S+)/g)];
    expect(links).toHaveLength(names.length);
    expect(alerts.match(/summary: /g)).toHaveLength(names.length);
    expect(alerts.match(/description: /g)).toHaveLength(names.length);
    expect(alerts.match(/severity: (critical|warning)$/gm)).toHaveLength(names.length);
    const anchors = new Set<string>();
    for (const [, file, anchor] of links) {
      anchors.add(anchor!);
      const runbook = await readFile(path.join(projectRoot, file!), 'utf8');
      const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) =>
        title!.toLowerCase().replaceAll(' ', '-'),
      );
      expect(headings).toContain(anchor);
    }
    const runbook = await readFile(path.join(projectRoot, 'deploy/observability/RUNBOOK.md'), 'utf8');
    expect(runbook.match(/^## /gm)).toHaveLength(anchors.size);
    for (const name of names) expect(runbook).toContain(name);
    for (const cause of Object.keys(ERROR_CAUSES)) expect(runbook).toContain(`\`${cause}\``);
  });
});
