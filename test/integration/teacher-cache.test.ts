import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { type KnowledgeDescription, ShardEntrySchema } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import {
  PutKnowledgeRequestSchema,
  ShardBeginSchema,
  TeacherCacheService,
} from '../../shared/gen/semlink/v1/teacher_cache_pb.js';
import { FolderStore } from '../../shared/knowledge/folder-store.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { type RecordBatch, readAllRecords, streamRecords } from '../../shared/knowledge/record-stream.js';
import {
  sampleDescription,
  sampleShards,
  sha256Of,
  temporaryStore,
  writeSampleSet,
} from '../../shared/knowledge/sample-set.fixture.js';
import { shardFile } from '../../shared/knowledge/shard.js';
import { verifyKnowledge } from '../../shared/knowledge/verify.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { Code } from '../../shared/rpc/errors.js';
import { METRICS } from '../../shared/telemetry/index.js';
import { type Scrape, scrape } from '../telemetry/exposition-parse.js';
import { ownLoopback } from './own-loopback.fixture.js';

let root: FolderStore;
let service: ServiceProcess<'teacher-cache'>;
let client: KnowledgeClient;
const started: ServiceProcess<'teacher-cache'>[] = [];

async function start(...flags: string[]): Promise<ServiceProcess<'teacher-cache'>> {
  const all = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--store', root.url, ...flags];
  const one = await startServiceProcess('teacher-cache', all, { onLog: () => {} });
  started.push(one);
  return one;
}

beforeAll(async () => {
  root = await temporaryStore();
  service = await start();
  client = new KnowledgeClient({ address: service.address });
});
afterAll(async () => {
  client?.close();
  try {
    expect(await service?.stop()).toBe(0);
  } finally {
    for (const one of started) one.process.kill('SIGKILL');
  }
});

const metrics = (of = service): Promise<Scrape> => scrape(`http://${of.metricsAddress}`);

async function put(set: string, knowledge: KnowledgeDescription, shards = sampleShards(knowledge)) {
  const answers = [];
  for (const { entry, file } of shards) answers.push(await client.put(set, knowledge, entry, file));
  return answers;
}

async function collect(batches: AsyncIterable<RecordBatch>): Promise<{ ids: number[]; records: number[] }> {
  const got = { ids: [] as number[], records: [] as number[] };
  for await (const { ids, count, firstId, records } of batches) {
    got.ids.push(...(ids ?? Array.from({ length: count }, (_, i) => firstId + i)));
    got.records.push(...records);
  }
  return got;
}

/** What a set below `root` gives when it is read without the service. */
const local = (set: string): Promise<KnowledgeSet> => KnowledgeSet.open(new FolderStore(path.join(root.url, set)));

describe('PutKnowledge', () => {
  it('stores shards and publishes the set with the last one', async () => {
    const knowledge = sampleDescription();
    const [first, second, third] = sampleShards(knowledge);
    expect(await put('put', knowledge, [third!, first!])).toMatchObject([
      { stored: 1, published: false },
      { stored: 1, published: false },
    ]);
    const draft = (await client.describe('put'))!;
    expect([draft.published, draft.shards.map(({ file }) => file)]).toEqual([
      false,
      [first, third].map((one) => one!.entry.file),
    ]);
    await expect(client.published('put')).rejects.toMatchObject({ kind: 'absent' });
    await expect(client.get('put', [0])).rejects.toMatchObject({ code: Code.NOT_FOUND });

    expect(await put('put', knowledge, [first!])).toMatchObject([{ stored: 0, published: false }]);
    expect(await put('put', knowledge, [second!])).toMatchObject([{ stored: 1, published: true }]);
    expect((await verifyKnowledge(root.below('put'))).faults).toEqual([]);
    expect(await client.published('put')).toEqual(knowledge);
    expect(await put('put', knowledge, [second!])).toMatchObject([{ stored: 0, published: true }]);
  });

  it('takes several workers at once', async () => {
    const knowledge = sampleDescription({ images: 200, imagesPerShard: 10 });
    const shards = sampleShards(knowledge);
    const answers = await Promise.all(shards.map((shard) => put('many', knowledge, [shard])));
    expect(answers.flat().some(({ published }) => published)).toBe(true);
    expect((await verifyKnowledge(root.below('many'))).records).toBe(600);
  });

  it('stores nothing of a shard that breaks off or is not what was announced', async () => {
    const knowledge = sampleDescription();
    const [first] = sampleShards(knowledge);
    const damaged = Uint8Array.from(first!.file);
    damaged[damaged.length >> 1]! ^= 1;
    const cut = first!.file.subarray(0, first!.file.length - 30);
    const other = sampleShards(sampleDescription({ topK: 5 }))[0]!;
    for (const file of [damaged, cut, other.file]) {
      await expect(put('broken', knowledge, [{ ...first!, file }])).rejects.toThrow(/the upload of images-/);
    }
    const lying = create(ShardEntrySchema, { ...first!.entry, sha256: sha256Of('something else') });
    await expect(client.put('broken', knowledge, lying, first!.file)).rejects.toThrow(/not what was announced/);

    const rpc = createRpcClient(TeacherCacheService, { address: service.address });
    const { call, response } = rpc.putKnowledge();
    const begin = create(ShardBeginSchema, { set: 'broken', knowledge, shard: first!.entry });
    call.write(create(PutKnowledgeRequestSchema, { part: { case: 'begin', value: begin } }));
    call.write(create(PutKnowledgeRequestSchema, { part: { case: 'chunk', value: first!.file.subarray(0, 500) } }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    call.cancel();
    await expect(response).rejects.toMatchObject({ code: Code.CANCELLED });
    rpc.close();
    expect(await client.describe('broken')).toBeUndefined();
    expect((await metrics()).value(METRICS.knowledgeShards.name, { outcome: 'refused' })).toBeGreaterThanOrEqual(4);
  });

  it('keeps knowledge of different kinds apart', async () => {
    const knowledge = sampleDescription();
    await put('apart', knowledge);
    const other = sampleDescription({ teacher: { name: 'another', sha256: sha256Of('another') } });
    await expect(put('apart', other)).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    const layout = sampleShards(knowledge)[0]!.layout;
    const changed = layout.encode(new Uint8Array(layout.records * layout.recordBytes));
    const entry = create(ShardEntrySchema, { ...sampleShards(knowledge)[0]!.entry });
    const { createHash } = await import('node:crypto');
    entry.sha256 = createHash('sha256').update(changed).digest('hex');
    await expect(client.put('apart', knowledge, entry, changed)).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
    await expect(put('../apart', knowledge)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });
});

describe('StreamKnowledge and GetKnowledge', () => {
  beforeAll(async () => {
    await writeSampleSet(root.below('stream'), sampleDescription({ images: 400, imagesPerShard: 90 }));
  });

  it('give what is stored, in the order that reading it here has', async () => {
    const set = await local('stream');
    const all = await readAllRecords(set);
    expect(await collect(client.stream('stream'))).toEqual({ ids: [...Array(1200).keys()], records: [...all] });
    const range = { firstImage: 85, images: 10, batch: 7 };
    expect(await collect(client.stream('stream', range))).toEqual(await collect(streamRecords(set, range)));
    for (const epoch of [0, 1]) {
      const options = { shuffle: { seed: 9, epoch }, position: 137, batch: 50 };
      expect(await collect(client.stream('stream', options))).toEqual(await collect(streamRecords(set, options)));
    }
    const ids = [1199, 0, 555, 555];
    expect(await client.get('stream', ids)).toEqual(await set.readRecords(ids));
  });

  it('refuse what cannot be, with what to do', async () => {
    const streamed = (options: object) => collect(client.stream('stream', options));
    await expect(streamed({ firstImage: 400 })).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(streamed({ position: 1201 })).rejects.toThrow(/position is 1201/);
    await expect(client.get('stream', [1200])).rejects.toMatchObject({ code: Code.OUT_OF_RANGE });
    await expect(collect(client.stream('nothing'))).rejects.toThrow(/no knowledge has been published/);
  });

  it('serve many trainers at once from memory', async () => {
    const before = await metrics();
    const epochs = [...Array(8).keys()];
    const got = await Promise.all(
      epochs.map((epoch) => collect(client.stream('stream', { shuffle: { seed: 1, epoch } }))),
    );
    for (const { ids } of got) expect([...ids].sort((a, b) => a - b)).toEqual([...Array(1200).keys()]);
    const after = await metrics();
    const grown = (name: string, labels: Record<string, string>) =>
      after.value(name, labels)! - before.value(name, labels)!;
    expect(grown(METRICS.knowledgeRecords.name, { call: 'stream' })).toBe(8 * 1200);
    expect(grown(METRICS.knowledgeBytes.name, { direction: 'sent' })).toBe(8 * 1200 * 14);
    expect(grown(METRICS.knowledgeBlocks.name, { outcome: 'hit' })).toBe(8 * 76);
    expect(grown(METRICS.knowledgeBlocks.name, { outcome: 'miss' })).toBe(0);
    expect(after.value(METRICS.streamsOpen.name, { side: 'served' })).toBe(0);
    expect(after.value(`${METRICS.knowledgeCalls.name}_count`, { call: 'stream' })).toBeGreaterThanOrEqual(8);
  });

  it('hand out nothing that is damaged, say so, and see it when it has been mended', async () => {
    const knowledge = await writeSampleSet(root.below('damaged'));
    const file = path.join(root.url, 'damaged', shardFile(sampleShards(knowledge)[1]!.layout.header));
    const sound = await readFile(file);
    const bad = Buffer.from(sound);
    bad[bad.length - 100]! ^= 1;
    await writeFile(file, bad);
    const got: number[] = [];
    const reading = (async () => {
      for await (const { records } of client.stream('damaged', { batch: 4 })) got.push(...records);
    })();
    await expect(reading).rejects.toMatchObject({
      code: Code.DATA_LOSS,
      message: expect.stringContaining('images-00000020'),
    });
    expect(got).toEqual([]);
    expect((await metrics()).value(METRICS.knowledgeFaults.name, { kind: 'damaged' })).toBe(1);
    await writeFile(file, sound);
    await expect
      .poll(
        () =>
          client.get('damaged', [149, 70]).then(
            (bytes) => bytes.length,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(28);
  });

  it('go on after the service was killed and came back, every record once', async () => {
    const doomed = await start('--listen', ownLoopback);
    const trainer = new KnowledgeClient({ address: doomed.address, reconnectMs: 20_000 });
    const options = { shuffle: { seed: 3, epoch: 3 }, batch: 5 };
    const ids: number[] = [];
    let killed = false;
    let returned: Promise<unknown> = Promise.resolve();
    for await (const batch of trainer.stream('stream', options)) {
      ids.push(...batch.ids!);
      if (killed || ids.length < 100) continue;
      killed = true;
      doomed.process.kill('SIGKILL');
      await doomed.ended;
      returned = start('--listen', doomed.address);
    }
    await returned;
    trainer.close();
    expect(ids).toEqual((await collect(streamRecords(await local('stream'), options))).ids);
  });

  it('end at once with the place to go on from when the service stops', async () => {
    const stopping = await start();
    const rpc = createRpcClient(TeacherCacheService, { address: stopping.address });
    const call = rpc.streamKnowledge({ set: 'stream', recordsPerMessage: 1 });
    const first = await new Promise<{ count: number }>((resolve) => call.once('data', resolve));
    expect(first.count).toBe(1);
    call.pause();
    const failed = new Promise<Error>((resolve) => call.once('error', resolve));
    const status = stopping.stop();
    call.resume();
    // Either it had been sent whole, or it says where to go on.
    const ended = new Promise<void>((resolve) => call.once('end', () => resolve()));
    const outcome = await Promise.race([failed, ended]);
    if (outcome) expect(outcome.message).toMatch(/UNAVAILABLE.*position \d+/);
    expect(await status).toBe(0);
    rpc.close();
  });
});

describe('memory', () => {
  it('does not grow with a reader that does not read, nor with the size of the store', async () => {
    await writeSampleSet(root.below('large'), sampleDescription({ images: 40_000, views: 10, imagesPerShard: 5000 }));
    const small = await start('--cache-bytes', '100000');
    const lazy = createRpcClient(TeacherCacheService, { address: small.address });
    const calls = Array.from({ length: 10 }, (_, epoch) =>
      lazy.streamKnowledge({ set: 'large', shuffle: { seed: 1, epoch } }),
    );
    await Promise.all(calls.map((call) => new Promise((resolve) => call.once('readable', resolve))));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const held = await metrics(small);
    // 56 MB are asked for in all; what is on its way is bounded by windows of the transport and one message each.
    expect(held.value(METRICS.knowledgeBytes.name, { direction: 'sent' })).toBeLessThan(10e6);
    expect(held.value(METRICS.queueBytes.name, { queue: 'blocks' })).toBeLessThanOrEqual(100_000);
    expect(held.value(METRICS.streamsOpen.name, { side: 'served' })).toBe(10);
    for (const call of calls) call.on('error', () => {}).cancel();
    await expect.poll(async () => (await metrics(small)).value(METRICS.streamsOpen.name, { side: 'served' })).toBe(0);
    lazy.close();
    expect(await small.stop()).toBe(0);
  });
});

describe('DescribeKnowledge', () => {
  it('lists all sets', async () => {
    const sets = await client.sets();
    expect(sets.map(({ name }) => name)).toEqual(['apart', 'damaged', 'large', 'many', 'put', 'stream']);
    expect(sets.every(({ published }) => published)).toBe(true);
  });
});

it('the service is ready, and serves exactly the metrics that names.ts lists for it', async () => {
  expect((await fetch(`http://${service.metricsAddress}/readyz`)).status).toBe(200);
  const seen = await metrics();
  const listed = Object.values(METRICS).filter(({ services }) =>
    (services as readonly string[]).includes('teacher-cache'),
  );
  expect([...seen.types.keys()].filter((name) => name.startsWith('semlink_')).sort()).toEqual(
    listed.map(({ name }) => name).sort(),
  );
});
