import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { projectRoot } from '../../shared/build/compiled.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { SemanticLink } from '../../shared/client/link.js';
import { Code } from '../../shared/rpc/errors.js';
import { startJobTelemetry, TeachingMetrics, TrainingMetrics } from '../../shared/telemetry/index.js';
import {
  accuracyOf,
  killAll,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from '../integration/link.fixture.js';
import { semlink } from '../integration/semlink-command.fixture.js';
import { type OtlpReceiver, startOtlpReceiver } from '../telemetry/otlp-receiver.js';
import { dashboardQueries } from './dashboards.fixture.js';
import { hasPrometheus, type RunningPrometheus, startPrometheus } from './prometheus.fixture.js';

const SECONDS = 1_000;
/** For what takes a second or two, on a machine that has other things to do. */
const WAIT_MS = 90 * SECONDS;
const LINK = 'uav-7';

let collector: OtlpReceiver;
let local: TestLink;
let store: string;
let cache: ServiceProcess<'teacher-cache'>;
let prometheus: RunningPrometheus;
let pictures: TestImage[];
let link: SemanticLink;
const jobs: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  if (!hasPrometheus) return;
  collector = await startOtlpReceiver();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpEndpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
  pictures = await testImages(600);
  local = await startTestLink(
    { 'channel-emulator': { 'channel.snrDb': 12 }, 'receiver-decoder': { 'recheck.share': 0.2 } },
    env,
  );
  store = await mkdtemp(path.join(tmpdir(), 'semlink-knowledge-'));
  await cp(path.join(projectRoot, 'shared/knowledge/cifar10'), path.join(store, 'cifar10'), { recursive: true });
  const free = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'];
  cache = await startServiceProcess('teacher-cache', [...free, '--store', store], { onLog: () => undefined });
  prometheus = await startPrometheus({
    'transmitter-encoder': local.processes['transmitter-encoder'].metricsAddress!,
    'channel-emulator': local.processes['channel-emulator'].metricsAddress!,
    'receiver-decoder': local.processes['receiver-decoder'].metricsAddress!,
    'teacher-cache': cache.metricsAddress!,
    ...(await startJobs()),
  });
  link = new SemanticLink({
    address: local.address,
    linkId: LINK,
    policy: { kind: 'fixed', channelUses: 8 },
  });
}, 180 * SECONDS);
afterAll(async () => {
  for (const job of jobs) await job.close();
  await link?.close();
  await prometheus?.stop();
  await local?.stop();
  await cache?.stop();
  killAll(Object.values(local?.processes ?? {}));
  cache?.process.kill('SIGKILL');
  await collector?.close();
  if (store) await rm(store, { recursive: true });
});

/** A distiller and a teacher as Prometheus sees them; that real ones report so is tested with the commands. */
async function startJobs(): Promise<{ distiller: string; teacher: string }> {
  const training = new TrainingMetrics();
  training.enter('training');
  training.step({ task: 1.5, auxiliary: 1, teacher: 0.4, bits: 20, accuracy: 0.6 }, 128, 0.05, 1.5, 60);
  training.progress(0.025, 3600);
  training.epoch(0.01, { 'awgn 10 dB k=8': 0.7 });
  const teaching = new TeachingMetrics();
  teaching.enter('teaching');
  teaching.taught(10);
  const addresses: string[] = [];
  for (const metrics of [training, teaching]) {
    const server = await startJobTelemetry('127.0.0.1:0', metrics);
    jobs.push(server);
    addresses.push(new URL(server.url!).host);
  }
  // A job that gets on, for its rates.
  const timer = setInterval(() => {
    training.step({ task: 1.5, auxiliary: 1, teacher: 0.4, bits: 20, accuracy: 0.6 }, 128, 0.05, 1.5, 60);
    teaching.taught(10);
  }, 200);
  jobs.push({ close: async () => clearInterval(timer) });
  return { distiller: addresses[0]!, teacher: addresses[1]! };
}

const value = async (expr: string) => (await prometheus.query(expr))[0]?.value;
const setSnr = (snrDb: number) =>
  local.emulator.setChannel({ linkId: LINK, channel: { snrDb, model: { case: 'awgn' as const, value: {} } } });
/** Waits until Prometheus has read this many labelled images of the link. */
const scraped = (images: number) =>
  until(
    async () => (await value(`semlink_labelled_total{job="transmitter-encoder", link="${LINK}"}`)) === images,
    WAIT_MS,
  );
const firing = async (name: string) => (await prometheus.firing()).find(({ labels }) => labels.alertname === name);

/** Panels about what need not happen on this machine: a loss on the air, a GPU, workers, a console, an alert. */
const MAY_BE_SILENT =
  /: (Not carried by the air|GPU at work|GPU memory|Workers|Restarts of workers|Pages of the console|annotations)$/;

/** Panels with a query that has no answer. */
async function silentPanels(): Promise<string[]> {
  const silent = new Set<string>();
  for (const { panel, expr } of dashboardQueries('10s')) {
    if (!MAY_BE_SILENT.test(panel) && (await prometheus.query(expr)).length === 0) silent.add(panel);
  }
  return [...silent];
}

/** Alerts that fire, but for those that a busy machine can raise: answers and event loops that are late. */
const surprises = async () =>
  (await prometheus.firing())
    .map(({ labels }) => labels.alertname!)
    .filter((name) => !['SemlinkLatencyOverBudget', 'SemlinkEventLoopLag'].includes(name));

describe.runIf(hasPrometheus)('a real Prometheus that reads the real services', { timeout: 300 * SECONDS }, () => {
  it('reads all of them, and takes the rules', async () => {
    await until(async () => (await prometheus.query('up == 1')).length === 6, WAIT_MS);
    const up = await prometheus.query('up');
    expect(up.map(({ metric }) => metric.job).sort()).toEqual([
      'channel-emulator',
      'distiller',
      'receiver-decoder',
      'teacher',
      'teacher-cache',
      'transmitter-encoder',
    ]);
    type Groups = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    await until(async () => {
      const { groups } = await prometheus.api<Groups>('rules');
      const rules = groups.flatMap((group) => group.rules);
      const bad = rules.filter(({ health }) => health === 'err');
      expect(bad).toEqual([]);
      return rules.length > 50 && rules.every(({ health }) => health === 'ok');
    }, WAIT_MS);
  });

  it('records the accuracy that the client counted', async () => {
    // A rate knows changes between two scrapes only: the first images make the series, and are waited out.
    await sendAll(link, pictures);
    await scraped(pictures.length);
    const recorded = (name: string) => value(`semlink:accuracy:ratio_rate${name}{link="${LINK}"}`);
    const seen = `semlink_labelled_total{job="transmitter-encoder", link="${LINK}"}[10s]`;
    await until(async () => (await value(`changes(${seen}) == 0 and count_over_time(${seen}) >= 10`)) === 0, WAIT_MS);
    await setSnr(2);
    const answers = await sendAll(link, pictures);
    await scraped(2 * pictures.length);
    const accuracy = accuracyOf(answers);
    expect(accuracy).toBeGreaterThan(0.5);
    // Rates reach a little beyond the samples they have: not the last digit.
    await until(async () => Math.abs(((await recorded('5m')) ?? 0) - accuracy) < 1e-3, WAIT_MS);
    // Over the longest window the first images count too, and they crossed a better channel.
    const count = async (name: string) => (await value(`${name}{job="transmitter-encoder", link="${LINK}"}`))!;
    expect(await count('semlink_labelled_total')).toBe(2 * pictures.length);
    const right = await count('semlink_correct_total');
    expect(right).toBeGreaterThan(accuracy * 2 * pictures.length);
  });

  it('has something to say in every panel', async () => {
    await setSnr(12);
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpEndpoint };
    const to = ['--to', local.address, '--link', 'traced'];
    const sending = semlink(['send', ...to, '--images', '300', '--trace-sample-ratio', '1'], { env });
    await sendAll(link, pictures);
    expect((await sending).status).toBe(0);
    const bad = link.classify({ ...pictures[0]!, width: 16 });
    expect((await bad).result.outcome.case).toBe('error');
    const knowledge = new KnowledgeClient({ address: cache.address });
    let silent: string[] = [];
    try {
      await until(async () => {
        await sendAll(link, pictures.slice(0, 50));
        await knowledge.get('cifar10', [0, 1, 2]);
        silent = await silentPanels();
        return silent.length === 0;
      }, WAIT_MS);
    } catch (error) {
      throw new Error(`these panels show nothing: ${silent.join(', ')}`, { cause: error });
    } finally {
      knowledge.close();
    }
  });

  it('leads from a latency to the trace of a frame', async () => {
    type Exemplars = { seriesLabels: Record<string, string>; exemplars: { labels: Record<string, string> }[] }[];
    const query = 'semlink_end_to_end_latency_seconds_bucket{job="transmitter-encoder"}';
    const range = { start: `${Date.now() / 1e3 - 120}`, end: `${Date.now() / 1e3 + 10}` };
    const found = await prometheus.api<Exemplars>('query_exemplars', { query, ...range });
    const traces = found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id!));
    expect(traces.length).toBeGreaterThan(0);
    const known = new Set(collector.spans.map(({ traceId }) => traceId));
    for (const trace of traces) expect(known).toContain(trace);
  });

  it('raises no alert while all is well, and the right one when the channel is made bad', async () => {
    await sendAll(link, pictures);
    expect(await surprises()).toEqual([]);
    await setSnr(-12);
    await until(async () => {
      await sendAll(link, pictures.slice(0, 200));
      return (await firing('SemlinkAccuracyBelowTarget')) !== undefined;
    }, WAIT_MS);
    const { labels, annotations } = (await firing('SemlinkAccuracyBelowTarget'))!;
    expect(labels).toMatchObject({ severity: 'critical', link: LINK });
    expect(annotations.summary).toBe(`Link ${LINK} answers too many images wrong`);
    expect(annotations.description).toMatch(/^\d+(\.\d+)?% of the labelled images of link uav-7 were answered right/);
    expect(await surprises()).toEqual(['SemlinkAccuracyBelowTarget']);
    await setSnr(12);
    await until(async () => {
      await sendAll(link, pictures.slice(0, 200));
      return (await firing('SemlinkAccuracyBelowTarget')) === undefined;
    }, WAIT_MS);
  });

  it('says that stored knowledge is damaged, from the first fault', async () => {
    const shard = path.join(store, 'cifar10', 'images-00002000-00002999.shard');
    const bytes = await readFile(shard);
    for (let i = 4_096; i < bytes.length; i += 1_024) bytes[i]! ^= 1;
    await writeFile(shard, bytes);
    const knowledge = new KnowledgeClient({ address: cache.address });
    // Ten views an image.
    await expect(knowledge.get('cifar10', [25_000])).rejects.toMatchObject({ code: Code.DATA_LOSS });
    knowledge.close();
    await until(async () => (await firing('SemlinkKnowledgeCorrupt')) !== undefined, WAIT_MS);
    const { labels, annotations } = (await firing('SemlinkKnowledgeCorrupt'))!;
    expect(labels).toMatchObject({ severity: 'critical', job: 'teacher-cache' });
    expect(annotations.runbook_url).toBe('deploy/observability/RUNBOOK.md#knowledge-corrupt');
  });

  it('says which service is down', async () => {
    local.processes['receiver-decoder'].process.kill('SIGKILL');
    await until(async () => (await firing('SemlinkServiceDown')) !== undefined, WAIT_MS);
    const { labels } = (await firing('SemlinkServiceDown'))!;
    expect(labels).toMatchObject({ job: 'receiver-decoder', severity: 'critical' });
  });
});
