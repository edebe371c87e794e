import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dashboardFiles } from '../../deploy/observability/grafana/dashboards.js';
import { RECORDED, RUNTIME } from '../../deploy/observability/grafana/promql.js';
import { projectRoot } from '../../shared/build/compiled.js';
import { METRICS, type MetricDefinition } from '../../shared/telemetry/index.js';
import { dashboardQueries } from './dashboards.fixture.js';
import { hasPrometheus, promtool, ruleFiles } from './prometheus.fixture.js';
import { recordedSeries, unknownNames } from './schema-names.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-dashboards-'));
});
afterAll(() => rm(folder, { recursive: true }));

const hasGrafanaSchema = grafanaSchema().status === 0;
if (!hasGrafanaSchema) {
  process.stderr.write(
    '\n==== NOT TESTED: no grafana-schema on PATH (go build -o FOLDER test/observability/grafana-schema) ====\n\n',
  );
}

/** Checks dashboards against the types that Grafana publishes. */
function grafanaSchema(...dashboards: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('grafana-schema', dashboards, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

const committed = path.join(projectRoot, 'deploy/observability/grafana/dashboards');
const files = dashboardFiles();

describe('the dashboards', () => {
  it('are committed as they are generated; else: node dist/deploy/observability/grafana/generate.js', async () => {
    expect((await readdir(committed)).sort()).toEqual([...files.keys()].sort());
    for (const [name, text] of files) expect(await readFile(path.join(committed, name), 'utf8'), name).toBe(text);
  });

  it('name only metrics and labels of the schema, and series that the rules record', async () => {
    const recorded = new Set((await ruleFiles()).flatMap(({ text }) => recordedSeries(text)));
    for (const name of Object.values(RECORDED)) expect(recorded).toContain(name);
    for (const name of Object.values(RUNTIME)) expect(unknownNames(name, recorded)).toEqual([]);
    for (const { panel, expr } of dashboardQueries('5m')) expect(unknownNames(expr, recorded), panel).toEqual([]);
  });

  it('show every metric of the schema, themselves or through what is recorded of it', async () => {
    const rules = (await ruleFiles()).map(({ text }) => text).join('\n');
    const shown = `${dashboardQueries('5m')
      .map(({ expr }) => expr)
      .join('\n')}\n${rules}`;
    const missing = (Object.values(METRICS) as MetricDefinition[]).filter(
      ({ name }) => !new RegExp(`\\b${name}(_bucket|_sum|_count)?\\b`).test(shown),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('are laid out without gaps in identity or overlaps in space', () => {
    for (const [name, text] of files) {
      type Placed = { id: number; title: string; gridPos: { x: number; y: number; w: number; h: number } };
      const { panels, uid } = JSON.parse(text) as { panels: Placed[]; uid: string };
      expect(uid).toBe(`semlink-${path.parse(name).name}`);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      const taken = new Set<string>();
      for (const { title, gridPos } of panels) {
        expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x},${y}`), `${name}: ${title}`).toBe(false);
            taken.add(`${x},${y}`);
          }
        }
      }
    }
  });

  it.runIf(hasGrafanaSchema)("have no field, option or kind of panel that Grafana's schema does not know", async () => {
    expect(grafanaSchema(...[...files.keys()].map((name) => path.join(committed, name)))).toEqual({
      status: 0,
      output: '',
    });
    const wrong = path.join(folder, 'wrong.json');
    const text = files.get('link.json')!;
    await writeFile(
      wrong,
      text.replace('"displayMode"', '"displayMood"').replace('"spanNulls"', '"spanNils"').replace('"stat"', '"start"'),
    );
    const { status, output } = grafanaSchema(wrong);
    expect(status).toBe(1);
    for (const fault of ["field 'displayMood'", "field 'spanNils'", 'type "start"']) expect(output).toContain(fault);
  });

  it.runIf(hasPrometheus)('have no query that Prometheus cannot read', async () => {
    const queries = dashboardQueries('5m');
    expect(queries.length).toBeGreaterThan(80);
    const rules = queries.map(({ expr }, i) => ({ record: `query:${i}`, expr }));
    // JSON is YAML too.
    await writeFile(path.join(folder, 'queries.yaml'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    const { status, output } = promtool('check', 'rules', path.join(folder, 'queries.yaml'));
    expect(status, output).toBe(0);
    expect(output).toContain(`${queries.length} rules found`);
  });
});
