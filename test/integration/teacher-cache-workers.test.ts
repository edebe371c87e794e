/** A teacher-cache of several processes on one store: whoever stores, publishes or dies, all of them serve the same. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import type { FolderStore } from '../../shared/knowledge/folder-store.js';
import {
  sampleDescription,
  sampleShards,
  sha256Of,
  temporaryStore,
} from '../../shared/knowledge/sample-set.fixture.js';
import { parseShardStart, shardEntry } from '../../shared/knowledge/shard.js';
import { verifyKnowledge } from '../../shared/knowledge/verify.js';
import { Code, toSemlinkError } from '../../shared/rpc/errors.js';
import { METRICS } from '../../shared/telemetry/index.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { until } from './link.fixture.js';

const WORKERS = 3;
let root: FolderStore;
let service: ServiceProcess<'teacher-cache'>;
/** One a worker, and one of all. */
let each: KnowledgeClient[];
let all: KnowledgeClient;

beforeAll(async () => {
  root = await temporaryStore();
  const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--store', root.url];
  service = await startServiceProcess('teacher-cache', [...flags, '--workers', `${WORKERS}`], { onLog: () => {} });
  each = service.address.split(',').map((address) => new KnowledgeClient({ address }));
  all = new KnowledgeClient({ address: service.address, reconnectMs: 30_000 });
}, 120_000);
afterAll(() => {
  for (const client of [...(each ?? []), all]) client?.close();
  service?.process.kill('SIGKILL');
});

async function pids(): Promise<number[]> {
  const { pid } = service.process;
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);
}

/** Ids of all records that a stream gives. */
async function idsOf(client: KnowledgeClient, set: string, batch = 64): Promise<number[]> {
  const ids: number[] = [];
  for await (const { count, firstId } of client.stream(set, { batch })) {
    for (let i = 0; i < count; i++) ids.push(firstId + i);
  }
  return ids;
}

describe('a teacher-cache of several workers', { timeout: 120_000 }, () => {
  it('publishes a set whose shards went to different workers, and each of them serves it at once', async () => {
    expect(each).toHaveLength(WORKERS);
    const knowledge = sampleDescription({ images: 100, imagesPerShard: 20 });
    const shards = sampleShards(knowledge);
    for (const [i, { entry, file }] of shards.entries()) {
      const { stored, published } = await each[i % WORKERS]!.put('spread', knowledge, entry, file);
      expect([stored, published]).toEqual([1, i === shards.length - 1]);
      // Each sees what the others have stored: a teacher that goes on elsewhere makes nothing twice.
      for (const client of each) expect((await client.describe('spread'))!.shards).toHaveLength(i + 1);
    }
    for (const client of each) {
      expect(await client.published('spread')).toEqual(knowledge);
      expect(await idsOf(client, 'spread')).toEqual([...Array(300).keys()]);
    }
    expect((await verifyKnowledge(root.below('spread'))).faults).toEqual([]);
  });

  it('takes one set from many writers at all workers at once, each shard stored once', async () => {
    const knowledge = sampleDescription({ images: 200, imagesPerShard: 10 });
    const shards = sampleShards(knowledge);
    const answers = await Promise.all(
      each.flatMap((client) => shards.map(({ entry, file }) => client.put('crowded', knowledge, entry, file))),
    );
    expect(answers.reduce((sum, { stored }) => sum + stored, 0)).toBe(shards.length);
    expect(answers.some(({ published }) => published)).toBe(true);
    expect(await verifyKnowledge(root.below('crowded'))).toMatchObject({ records: 600, faults: [] });
  });

  it('publishes what is stored when two writers of a set have other bytes for the same shards', async () => {
    const knowledge = sampleDescription({ images: 120, imagesPerShard: 10 });
    const shards = sampleShards(knowledge);
    // As sound as the others, with other answers.
    const others = shards.map(({ layout, file }) => {
      const records = new Uint8Array(layout.records * layout.recordBytes);
      records[0] = file[file.length - 1]!;
      const changed = layout.encode(records);
      return { entry: shardEntry(layout, changed), file: changed };
    });
    await Promise.all(
      shards.flatMap(({ entry, file }, i) => [
        each[0]!.put('contested', knowledge, entry, file).catch(refusedAsPublished),
        each[1]!.put('contested', knowledge, others[i]!.entry, others[i]!.file).catch(refusedAsPublished),
      ]),
    );
    expect(await verifyKnowledge(root.below('contested'))).toMatchObject({ records: 360, faults: [] });
    for (const client of each) expect(await idsOf(client, 'contested')).toHaveLength(360);
  });

  it('never mixes two sets that are begun under one name at once', async () => {
    const one = sampleDescription({ images: 60, imagesPerShard: 10 });
    const two = sampleDescription({ images: 60, imagesPerShard: 10, teacher: { name: 'b', sha256: sha256Of('b') } });
    for (let round = 0; round < 8; round++) {
      const set = `begun-${round}`;
      const [first] = sampleShards(one);
      const last = sampleShards(two).at(-1)!;
      const outcomes = await Promise.allSettled([
        each[0]!.put(set, one, first!.entry, first!.file),
        each[1]!.put(set, two, last.entry, last.file),
      ]);
      const kinds = new Set<string>();
      for await (const name of root.below(set).list('images-')) {
        const size = (await root.below(set).size(name))!;
        const start = parseShardStart(await root.below(set).read(name, 0, size), name)!;
        kinds.add(start.header.knowledge!.teacher!.name);
      }
      const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
      expect(kinds.size).toBe(taken);
      expect(taken).toBeLessThanOrEqual(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: Code.FAILED_PRECONDITION });
      }
    }
  });

  it('goes on at another worker when one is killed, every record once, and is whole again soon after', async () => {
    const knowledge = sampleDescription({ images: 2_000, imagesPerShard: 500 });
    for (const { entry, file } of sampleShards(knowledge)) await all.put('killed', knowledge, entry, file);
    const before = await pids();
    const ids: number[] = [];
    for await (const { count, firstId } of all.stream('killed', { batch: 10 })) {
      for (let i = 0; i < count; i++) ids.push(firstId + i);
      // One after the other, until that one is met which the stream comes from; never all of them.
      if (ids.length === 500) process.kill(before[0]!, 'SIGKILL');
      if (ids.length === 2_500) process.kill(before[1]!, 'SIGKILL');
    }
    expect(ids).toEqual([...Array(6_000).keys()]);
    for (let i = 0; i < WORKERS; i++) expect((await all.describe('killed'))!.published).toBe(true);
    await until(async () => (await fetch(`http://${service.metricsAddress}/readyz`)).ok, 60_000);
    const { value } = await scrape(`http://${service.metricsAddress}`);
    expect(value('semlink_worker_restarts_total', { worker: '2' })).toBe(0);
    for (const client of each) expect(await idsOf(client, 'spread')).toHaveLength(300);
  });

  it('has the metrics of all workers, which share the memory for blocks', async () => {
    const { samples } = await scrape(`http://${service.metricsAddress}`);
    const blocks = samples.filter(({ name, labels }) => name === METRICS.queueBytes.name && labels.queue === 'blocks');
    expect(blocks.map(({ labels }) => labels.worker).sort()).toEqual(['0', '1', '2']);
  });

  it('drains all of them, a stream ending with the place to go on from', async () => {
    const left = await pids();
    const reader = new KnowledgeClient({ address: service.address, reconnectMs: 0 });
    const stream = reader.stream('killed', { batch: 1 });
    await stream.next();
    const status = service.stop();
    const rest = (async () => {
      for await (const _ of stream);
    })().catch((error: unknown) => error);
    expect(await status).toBe(0);
    const ended = await rest;
    if (ended) expect(toSemlinkError(ended).code).toBe(Code.UNAVAILABLE);
    reader.close();
    await until(() => left.every((pid) => !isAlive(pid)));
  });
});

/** A set that is complete takes no other content any more. */
function refusedAsPublished(error: unknown): void {
  expect(toSemlinkError(error).code).toBe(Code.ALREADY_EXISTS);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
