/** Traces of jobs, as a real store of traces has them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { ATTRIBUTES, JobSpan, SPANS, startTracing } from '../../shared/telemetry/index.js';
import { semlink } from '../integration/semlink-command.fixture.js';
import { type ModelServer, startModelServer } from '../knowledge/model-server.fixture.js';
import { hasJaeger, type SpanStore, type StoredSpan, startSpanStore, waitForSpans } from './span-store.js';

if (!hasJaeger) {
  process.stderr.write(
    '\n*** jaeger is not on PATH: traces are looked at in a receiver of our own, not in a real store ***\n\n',
  );
}

let store: SpanStore;
let folder: string;
let model: ModelServer;
let cache: ServiceProcess<'teacher-cache'>;
let env: Record<string, string>;
beforeAll(async () => {
  [store, model] = await Promise.all([startSpanStore(), startModelServer()]);
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-jobs-'));
  env = { OTEL_EXPORTER_OTLP_ENDPOINT: store.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
  const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', 'off', '--store', path.join(folder, 'cache')];
  cache = await startServiceProcess('teacher-cache', flags, { env, onLog: () => {} });
}, 60_000);
afterAll(async () => {
  expect(await cache?.stop()).toBe(0);
  await model?.stop();
  await store?.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the whole run is part of, for example a pipeline's step. */
const caller = { traceId: (digit: string) => digit.repeat(32), spanId: 'e'.repeat(16) };
const within = (digit: string) => ({ ...env, TRACEPARENT: `00-${caller.traceId(digit)}-${caller.spanId}-01` });
const namesOf = (spans: readonly StoredSpan[]) => spans.map(({ name }) => name);
const traceOf = (traceId: string, enough: (spans: readonly StoredSpan[]) => boolean) =>
  waitForSpans(() => store.trace(traceId), enough);

/** That spans lie under and within another. */
function expectWithin(spans: readonly StoredSpan[], parent: StoredSpan): void {
  for (const { name, parentSpanId, start, end } of spans) {
    expect(parentSpanId, name).toBe(parent.spanId);
    expect(start, name).toBeGreaterThanOrEqual(parent.start - 2_000);
    expect(end, name).toBeLessThanOrEqual(parent.end + 2_000);
  }
}

describe('semlink distill', { timeout: 180_000 }, () => {
  it('is one trace: knowledge read, epochs, calibration, publication', async () => {
    const { status, stderr } = await semlink(
      [
        'distill',
        ...['--size', 's', '--channel-uses', '64', '--images', '640', '--batch-size', '64', '--threads', '1'],
        ...['--epochs', '2', '--calibration-images', '500', '--models', path.join(folder, 'models')],
        ...['--work', path.join(folder, 'work')],
      ],
      { env: within('1') },
    );
    expect(status, stderr).toBe(0);
    const [root, ...parts] = await traceOf(caller.traceId('1'), (spans) => namesOf(spans).includes(SPANS.distill));
    expect(root).toMatchObject({
      name: SPANS.distill,
      service: 'distiller',
      parentSpanId: caller.spanId,
      failed: false,
    });
    expect(root!.attributes).toMatchObject({
      [ATTRIBUTES.modelVersion]: 's-cifar10-2',
      [ATTRIBUTES.images]: 640,
      [ATTRIBUTES.outcome]: 'published',
    });
    expect(namesOf(parts)).toEqual([
      SPANS.readKnowledge,
      SPANS.epoch,
      SPANS.epoch,
      SPANS.calibrate,
      SPANS.publishModel,
    ]);
    expectWithin(parts, root!);
    const [read, first, second, calibration] = parts;
    expect(read!.attributes).toMatchObject({ [ATTRIBUTES.teacher]: 'cifar10-ensemble-of-4', [ATTRIBUTES.views]: 10 });
    expect([first, second].map((epoch) => epoch!.attributes[ATTRIBUTES.step])).toEqual([10, 20]);
    for (const epoch of [first, second]) expect(epoch!.attributes[ATTRIBUTES.loss]).toBeGreaterThan(0);
    expect(calibration!.attributes).toMatchObject({ [ATTRIBUTES.images]: 500, [ATTRIBUTES.points]: 34 });
  });

  it('that fails is a trace that says why', async () => {
    const knowledge = path.join(folder, 'nothing');
    const args = ['distill', '--size', 's', '--images', '640', '--knowledge', knowledge];
    const { status } = await semlink([...args, '--work', path.join(folder, 'w2')], { env: within('2') });
    expect(status).toBe(1);
    const spans = await traceOf(caller.traceId('2'), ({ length }) => length >= 2);
    expect(namesOf(spans)).toEqual([SPANS.distill, SPANS.readKnowledge]);
    expect(spans.map(({ failed }) => failed)).toEqual([true, true]);
  });
});

describe('semlink teach', { timeout: 60_000 }, () => {
  it('through a teacher-cache is one trace of both: shards, each stored by a call, and the publication', async () => {
    const set = ['--split', 'holdout', '--images', '12', '--views', '2', '--images-per-shard', '4'];
    const target = ['--teacher-cache', cache.address, '--set', 'traced'];
    const { status, stderr } = await semlink(
      ['teach', '--teacher', `grpc://${model.address}/large`, ...set, ...target],
      {
        env: within('3'),
      },
    );
    expect(status, stderr).toBe(0);
    const spans = await traceOf(caller.traceId('3'), ({ length }) => length >= 11);
    const [root] = spans;
    expect(root).toMatchObject({ name: SPANS.teach, service: 'semlink', parentSpanId: caller.spanId });
    expect(root!.attributes).toMatchObject({
      [ATTRIBUTES.images]: 12,
      [ATTRIBUTES.views]: 2,
      [ATTRIBUTES.share]: '0/1',
      [ATTRIBUTES.outcome]: 'published',
    });
    const parts = spans.filter(({ parentSpanId }) => parentSpanId === root!.spanId);
    expect(namesOf(parts)).toEqual([SPANS.shard, SPANS.shard, SPANS.shard, SPANS.publishKnowledge]);
    expectWithin(parts, root!);
    for (const [i, shard] of parts.slice(0, 3).entries()) {
      expect(shard.attributes).toMatchObject({ [ATTRIBUTES.firstImage]: 4 * i, [ATTRIBUTES.images]: 4 });
      const [stored, ...others] = spans.filter(({ parentSpanId }) => parentSpanId === shard.spanId);
      expect(others).toEqual([]);
      expect(stored!.name).toBe(SPANS.storeShard);
      expectWithin([stored!], shard);
      const [call] = spans.filter(({ parentSpanId }) => parentSpanId === stored!.spanId);
      expect(call).toMatchObject({ name: SPANS.knowledgeCall, service: 'teacher-cache' });
      expect(call!.attributes).toMatchObject({ [ATTRIBUTES.rpc]: 'PutKnowledge', [ATTRIBUTES.knowledgeSet]: 'traced' });
      expect(call!.attributes[ATTRIBUTES.bytes]).toBe(stored!.attributes[ATTRIBUTES.bytes]);
      expectWithin([call!], stored!);
    }
  });
});

describe('reads of knowledge', { timeout: 60_000 }, () => {
  it('are hung under the job that makes them; those of nobody leave nothing', async () => {
    const tracing = await startTracing({ serviceName: 'reader', endpoint: store.endpoint });
    const job = JobSpan.start('distiller', SPANS.distill, {}, `00-${caller.traceId('4')}-${caller.spanId}-01`);
    const client = new KnowledgeClient({ address: cache.address });
    await job.around(async () => {
      await client.get('traced', [0, 1, 2]);
      await client.get('traced', [0, 1, 2], job.traceparent);
      for await (const _batch of client.stream('traced', {}, job.traceparent));
    });
    client.close();
    expect(await tracing.stop(5_000)).toBe(true);
    const [root, ...reads] = await traceOf(caller.traceId('4'), ({ length }) => length >= 3);
    expectWithin(reads, root!);
    expect(
      reads.map(({ service, attributes }) => [service, attributes[ATTRIBUTES.rpc], attributes[ATTRIBUTES.records]]),
    ).toEqual([
      ['teacher-cache', 'GetKnowledge', 3],
      ['teacher-cache', 'StreamKnowledge', 24],
    ]);
  });
});
