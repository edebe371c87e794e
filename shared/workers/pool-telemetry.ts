import { Counter, Gauge, Registry } from 'prom-client';
import type { Exposition, Readiness } from '../telemetry/index.js';
import { WORKER_METRICS } from '../telemetry/index.js';
import { mergeMetrics, type WorkerText } from './merge-metrics.js';
import type { WorkerPool, WorkerState } from './worker-pool.js';

/** A worker that does not answer a scrape or a probe for so long counts as not there, ms. */
const patienceMs = 2_000;
/** No worker's metrics are longer: their labels are bounded. */
const mostBytes = 32 * 1024 * 1024;

/** Ready when all workers are; the reason names the first that is not. */
export async function poolReadiness(pool: WorkerPool): Promise<Readiness> {
  const reasons = await Promise.all(pool.states.map(notReady));
  const reason = reasons.find((one) => one !== undefined);
  return reason === undefined ? { ready: true } : { ready: false, reason };
}

/** The metrics of all workers that answer, and of the pool itself. `accept`: of the request. */
export async function poolMetrics(pool: WorkerPool, accept: string | undefined): Promise<Exposition> {
  const { states } = pool;
  const answers = await Promise.all(states.map((state) => scrape(state, accept)));
  const texts = answers.flatMap((answer) => answer ?? []);
  const contentType = texts[0]?.contentType ?? Registry.PROMETHEUS_CONTENT_TYPE;
  // A worker that ends between two answers must not mix the two forms.
  const alike = texts.filter((one) => one.contentType === contentType);
  const merged = mergeMetrics(alike);
  const own = await ownMetrics(states, new Set(alike.map(({ worker }) => worker)));
  return { contentType, body: merged.endsWith('# EOF\n') ? `${asOpenMetrics(own)}${merged}` : `${own}${merged}` };
}

async function notReady({ index, serving }: WorkerState): Promise<string | undefined> {
  if (!serving) return `worker ${index} is not running`;
  if (serving.metricsAddress === undefined) return undefined;
  try {
    const response = await ask(`http://${serving.metricsAddress}/readyz`);
    const text = (await response.text()).trim();
    return response.ok ? undefined : `worker ${index}: ${text}`;
  } catch {
    return `worker ${index} does not answer`;
  }
}

async function scrape(
  { index, serving }: WorkerState,
  accept: string | undefined,
): Promise<(WorkerText & { contentType: string }) | undefined> {
  if (serving?.metricsAddress === undefined) return undefined;
  try {
    const response = await ask(`http://${serving.metricsAddress}/metrics`, accept === undefined ? {} : { accept });
    const text = await response.text();
    if (!response.ok || text.length > mostBytes) return undefined;
    return { worker: String(index), text, contentType: response.headers.get('content-type') ?? '' };
  } catch {
    return undefined;
  }
}

function ask(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { headers, signal: AbortSignal.timeout(patienceMs) });
}

function ownMetrics(states: readonly WorkerState[], answering: ReadonlySet<string>): Promise<string> {
  const registers = [new Registry()];
  const { up, restarts } = WORKER_METRICS;
  const upGauge = new Gauge({ name: up.name, help: up.help, labelNames: up.labels, registers });
  const counter = new Counter({ name: restarts.name, help: restarts.help, labelNames: restarts.labels, registers });
  for (const { index, restarts: count } of states) {
    const worker = String(index);
    upGauge.set({ worker }, answering.has(worker) ? 1 : 0);
    counter.inc({ worker }, count);
  }
  return registers[0]!.metrics();
}

/** OpenMetrics calls a counter without its `_total` where it describes it, and knows no empty lines. */
function asOpenMetrics(text: string): string {
  return text.replace(/^(# (?:HELP|TYPE) \S+)_total /gm, '$1 ').replace(/^\n/gm, '');
}
