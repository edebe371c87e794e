// Makes what of the chart is made from something else: node deploy/helm/generate.mjs
//   semlink/README.md         the table of values, from values.yaml and its comments
//   semlink/files/            alert rules and dashboards, from deploy/observability
//   rendered/*.yaml           what the chart renders to with its defaults and with everything (needs helm; else left alone)
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const chart = path.join(here, 'semlink');
const observability = path.join(here, '..', 'observability');

/** Cases that are rendered: file name and values file. */
export const CASES = { default: undefined, full: path.join(here, 'full-values.yaml') };

/** Copies of files the chart cannot reach, since a chart is packed as its folder alone: target in the chart and source. */
export function copies() {
  const found = [];
  for (const [from, to, ending] of [
    ['prometheus/rules', 'files/rules', /\.ya?ml$/],
    ['grafana/dashboards', 'files/dashboards', /\.json$/],
  ]) {
    const folder = path.join(observability, from);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).sort()) {
      if (ending.test(name) && !/\.test\.|[-_]test\.ya?ml$/.test(name)) {
        found.push({ source: path.join(folder, name), target: path.join(chart, to, name) });
      }
    }
  }
  return found;
}

/** The values as rows of a table: name, default as JSON, description. Only the forms that values.yaml is written in. */
export function valueRows(text) {
  const rows = [];
  const parents = [];
  let description = [];
  for (const line of text.split('\n')) {
    const comment = /^\s*# (?:-- )?(.*)$/.exec(line);
    if (comment) {
      if (line.includes('# -- ')) description = [comment[1]];
      else if (description.length > 0) description.push(comment[1]);
      continue;
    }
    const entry = /^( *)([A-Za-z0-9]+):(?: (.*))?$/.exec(line);
    if (!entry) {
      if (line.trim() === '') description = [];
      continue;
    }
    const [, indent, name, value] = entry;
    parents.length = indent.length / 2;
    parents.push(name);
    if (description.length > 0) rows.push({ name: parents.join('.'), value, description: description.join(' '), line });
    description = [];
  }
  return rows;
}

/** README.md of the chart with the table in its place. */
export function readme(current, values) {
  const cell = (text) => text.replaceAll('|', '\\|');
  const rows = valueRows(values).map(
    ({ name, value, description }) =>
      `| \`${name}\` | ${value === undefined ? '' : `\`${cell(value)}\``} | ${cell(description)} |`,
  );
  const table = ['| value | default | what it is |', '| --- | --- | --- |', ...rows].join('\n');
  return current.replace(
    /(<!-- values -->\n)[\s\S]*(<!-- \/values -->)/,
    (_, start, end) => `${start}\n${table}\n${end}`,
  );
}

/** What the chart renders to; undefined where there is no helm. */
export function render(values) {
  // CRDs and capabilities of a cluster do not matter here, the version of Kubernetes that labels name does not either.
  const flags = ['template', 'semlink', chart, '--namespace', 'semlink', '--kube-version', '1.34.0'];
  const { status, stdout, stderr, error } = spawnSync('helm', [...flags, ...(values ? ['--values', values] : [])], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) return undefined;
  if (status !== 0) throw new Error(`helm template failed: ${stderr}`);
  return stdout;
}

function main() {
  rmSync(path.join(chart, 'files'), { recursive: true, force: true });
  for (const { source, target } of copies()) {
    mkdirSync(path.dirname(target), { recursive: true });
    cpSync(source, target);
  }
  const file = path.join(chart, 'README.md');
  writeFileSync(file, readme(readFileSync(file, 'utf8'), readFileSync(path.join(chart, 'values.yaml'), 'utf8')));
  for (const [name, values] of Object.entries(CASES)) {
    const text = render(values);
    if (text === undefined) {
      console.error('helm is not on PATH: rendered/ is left as it was');
      break;
    }
    mkdirSync(path.join(here, 'rendered'), { recursive: true });
    writeFileSync(path.join(here, 'rendered', `${name}.yaml`), text);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main();
