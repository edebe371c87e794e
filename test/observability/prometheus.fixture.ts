/** A real Prometheus and promtool for tests, where this machine has them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../shared/build/compiled.js';

/** Folder of the committed configurations and rules. */
export const PROMETHEUS_FOLDER = path.join(projectRoot, 'deploy/observability/prometheus');

/** Whether both programs are there; says loudly what is not tested when they are not. */
export const hasPrometheus: boolean = ['prometheus', 'promtool'].every(
  (program) => spawnSync(program, ['--version']).status === 0,
);
if (!hasPrometheus) {
  process.stderr.write(
    '\n==== NOT TESTED: no prometheus and promtool here (Debian: apt-get install --no-install-recommends prometheus) ====\n\n',
  );
}

/** Runs promtool; its status and what it printed, `output` being all of it. */
export function promtool(...args: string[]): { status: number | null; stdout: string; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: PROMETHEUS_FOLDER, encoding: 'utf8' });
  return { status, stdout, output: `${stdout}${stderr}` };
}

/** The committed rule files, name and text. */
export async function ruleFiles(): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(path.join(PROMETHEUS_FOLDER, 'rules'))).filter((name) => name.endsWith('.yaml'));
  return Promise.all(
    names
      .sort()
      .map(async (name) => ({ name, text: await readFile(path.join(PROMETHEUS_FOLDER, 'rules', name), 'utf8') })),
  );
}

/** Committed durations, and what they are in a test that cannot wait for them. */
const QUICK: Readonly<Record<string, string>> = {
  '1m': '4s',
  '2m': '1s',
  '5m': '8s',
  '15m': '10s',
  '1h': '30s',
  '1d': '10m',
};

/** The same rules with every duration shortened, and nothing else changed. */
export function quickened(rules: string): string {
  const shorter = (duration: string): string => {
    const quick = QUICK[duration];
    if (!quick) throw new Error(`the duration ${duration} of a rule has no short form; add one to QUICK`);
    return quick;
  };
  return rules
    .replaceAll(/\[(\d+[smhd])\]/g, (_, duration: string) => `[${shorter(duration)}]`)
    .replaceAll(/(for: |offset )(\d+[smhd])\b/g, (_, before: string, duration: string) => before + shorter(duration));
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

export interface RunningPrometheus {
  readonly url: string;
  /** Result of an instant query. */
  query(expr: string): Promise<Series[]>;
  firing(): Promise<ActiveAlert[]>;
  /** GET of the API below /api/v1/; the answer's data. */
  api<T>(path: string, parameters?: Record<string, string>): Promise<T>;
  stop(): Promise<void>;
}

/**
 * Starts Prometheus on a free port with the committed scrape configuration and rules, quick, and other targets.
 *
 * @param targets `host:port` by job
 */
export async function startPrometheus(targets: Readonly<Record<string, string>>): Promise<RunningPrometheus> {
  const folder = await mkdtemp(path.join(tmpdir(), 'semlink-prometheus-'));
  await mkdir(path.join(folder, 'rules'));
  for (const { name, text } of await ruleFiles()) await writeFile(path.join(folder, 'rules', name), quickened(text));
  await writeFile(path.join(folder, 'prometheus.yaml'), await quickConfig(targets));
  const child = spawn(
    'prometheus',
    [
      '--config.file=prometheus.yaml',
      '--storage.tsdb.path=data',
      '--web.listen-address=127.0.0.1:0',
      '--enable-feature=exemplar-storage',
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = `http://${await listening(child)}`;
  const api = async <T>(name: string, parameters: Record<string, string> = {}): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${name}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`Prometheus: ${error}`);
    return data;
  };
  return {
    url,
    api,
    async query(expr) {
      type Vector = { resultType: string; result: { metric: Record<string, string>; value: [number, string] }[] };
      const { result } = await api<Vector>('query', { query: expr });
      return result.map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
    },
    async firing() {
      const { alerts } = await api<{ alerts: ActiveAlert[] }>('alerts');
      return alerts.filter(({ state }) => state === 'firing');
    },
    async stop() {
      process.off('exit', end);
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The committed configuration for processes, with these targets in the place of the default ports. */
async function quickConfig(targets: Readonly<Record<string, string>>): Promise<string> {
  const committed = await readFile(path.join(PROMETHEUS_FOLDER, 'prometheus.yaml'), 'utf8');
  const used = new Set<string>();
  const config = committed
    .replaceAll(/_interval: 5s/g, '_interval: 500ms')
    .replaceAll(/job_name: (\S+)\n( +static_configs:\n +- targets: )\[.*\]/g, (_, job: string, before: string) => {
      used.add(job);
      return `job_name: ${job}\n${before}[${targets[job] ? JSON.stringify(targets[job]) : ''}]`;
    });
  for (const job of Object.keys(targets)) if (!used.has(job)) throw new Error(`prometheus.yaml has no job ${job}`);
  return config;
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`prometheus does not listen: ${said.slice(-3).join(' ')}`));
    }, 60_000);
    createInterface({ input: child.stderr! }).on('line', (line) => {
      if (said.length < 100) said.push(line);
      const address = /msg="Listening on".* address=(\S+)/.exec(line)?.[1];
      if (!address) return;
      clearTimeout(timer);
      resolve(address);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`prometheus ended (${code}): ${said.slice(-3).join(' ')}`));
    });
    child.once('error', reject);
  });
}
