/** What the tests of the chart need from outside: helm, the schemas of Kubernetes, a reader of YAML. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../shared/data/cache.js';

const run = promisify(execFile);
const options = { maxBuffer: 64 * 1024 * 1024 };

/** A resource of Kubernetes, as far as tests look into it. */
export interface Resource {
  kind: string;
  metadata: { name: string; namespace?: string; labels: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: of any kind
  [field: string]: any;
}

/** Where .ci/helm.sh puts programs; they are taken from there too. */
const tools = path.join(cacheFolder(), 'tools', 'kubernetes');
export const python = process.env.SEMLINK_KUBERNETES_PYTHON ?? path.join(tools, 'python');
process.env.PATH = [process.env.PATH, path.join(tools, 'bin'), path.join(python, 'bin')].join(path.delimiter);

export const hasHelm = spawnSync('helm', ['version']).status === 0;
export const hasSchemas = existsSync(path.join(python, 'kubernetes_validate'));
export const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;
if (!hasHelm || !hasSchemas || !hasShellcheck) {
  const missing = [!hasHelm && 'helm', !hasSchemas && 'kubernetes-validate', !hasShellcheck && 'shellcheck'];
  process.stderr.write(
    `\n*** THE CHART IS NOT FULLY TESTED: no ${missing.filter(Boolean).join(', no ')} here; .ci/helm.sh fetches them ***\n\n`,
  );
}

/** Output of helm, or its complaint as an error. */
export async function helm(...args: string[]): Promise<string> {
  return (await run('helm', args, options)).stdout;
}

/** The resources of a text in YAML. */
export async function resources(yaml: string): Promise<Resource[]> {
  const script = 'import json, sys, yaml; print(json.dumps([one for one in yaml.safe_load_all(sys.stdin) if one]))';
  const { stdout, stderr, status } = spawnSync('python3', ['-c', script], {
    ...options,
    input: yaml,
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: python },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** What is wrong with a file by the schema of a version of Kubernetes; kinds that are not its own are passed over. */
export async function schemaProblems(file: string, version: string): Promise<string> {
  const args = ['-m', 'kubernetes_validate', '-k', version, '--strict', '--quiet', '--no-warn', file];
  const env = { ...process.env, PYTHONPATH: python };
  const done = await run('python3', args, { ...options, env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${done.stdout}${done.stderr}`.trim();
}
