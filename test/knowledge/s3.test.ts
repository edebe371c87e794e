import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { readAllRecords } from '../../shared/knowledge/record-stream.js';
import {
  sampleDescription,
  sampleShards,
  temporaryStore,
  writeSampleSet,
} from '../../shared/knowledge/sample-set.fixture.js';
import { shardFile } from '../../shared/knowledge/shard.js';
import { type KnowledgeStore, openStore } from '../../shared/knowledge/store.js';
import { verifyKnowledge } from '../../shared/knowledge/verify.js';
import { Code } from '../../shared/rpc/errors.js';
import { semlink } from '../integration/semlink-command.fixture.js';
import { startModelServer } from './model-server.fixture.js';
import { INSTALL_LIMIT_MS, type S3Server, s3Program, startS3Server } from './s3-server.fixture.js';

const program = await s3Program();

describe.skipIf(program === undefined)('knowledge in an S3-compatible store', () => {
  let server: S3Server;
  let store: KnowledgeStore;
  const url = (prefix: string): string => `s3://${server.bucket}/${prefix}`;

  beforeAll(async () => {
    server = await startS3Server(program!);
    Object.assign(process.env, server.env);
    store = await openStore(url('unit'), { endpoint: server.endpoint });
  }, INSTALL_LIMIT_MS);
  afterAll(async () => {
    store?.close();
    await server?.stop();
  });

  async function names(of: KnowledgeStore, prefix?: string): Promise<string[]> {
    const all: string[] = [];
    for await (const name of of.list(prefix)) all.push(name);
    return all;
  }

  it('stores, lists, reads ranges and removes', async () => {
    for (const name of ['b', 'a/1', 'a/2']) await store.write(name, [Buffer.from(`content of ${name}`)]);
    expect(await names(store)).toEqual(['a/1', 'a/2', 'b']);
    expect(await names(store, 'a/')).toEqual(['a/1', 'a/2']);
    expect(await names(store.below('a'))).toEqual(['1', '2']);
    expect(Buffer.from(await store.read('a/1', 8, 2)).toString()).toBe('of');
    expect(Buffer.from(await store.read('a/1', 11, 100)).toString()).toBe('a/1');
    expect((await store.read('a/1', 100, 5)).length).toBe(0);
    expect([await store.size('b'), await store.size('c')]).toEqual([12, undefined]);
    await store.remove('b');
    await store.remove('b');
    expect(await names(store)).toEqual(['a/1', 'a/2']);
    await expect(store.read('b', 0, 1)).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });

  it('creates an object only where there is none of its name', async () => {
    const large = Array<Uint8Array>(9).fill(new Uint8Array(1024 ** 2).fill(1));
    for (const [name, content] of [
      ['created/small', [Buffer.from('first')]],
      ['created/large', large],
    ] as const) {
      const bytes = content.reduce((sum, { length }) => sum + length, 0);
      expect(await store.create(name, content)).toBe(true);
      expect(await store.create(name, [Buffer.from('second')])).toBe(false);
      expect(await store.size(name)).toBe(bytes);
    }
  });

  it('puts large objects in parts, and leaves nothing of one that broke off', async () => {
    const piece = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 7) % 251);
    await store.write('large', Array<Uint8Array>(20).fill(piece));
    expect(await store.size('large')).toBe(20 * piece.length);
    const at = 8 * 1024 ** 2 - 5;
    const due = Array.from({ length: 10 }, (_, i) => piece[(at + i) % piece.length]);
    expect([...(await store.read('large', at, 10))]).toEqual(due);

    async function* broken(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 18; i++) yield piece;
      throw new Error('the source broke');
    }
    await expect(store.write('large', broken())).rejects.toThrow('the source broke');
    await expect(store.write('never', broken())).rejects.toThrow('the source broke');
    expect(await store.size('large')).toBe(20 * piece.length);
    expect(await store.size('never')).toBeUndefined();
  });

  it('holds knowledge like a folder does, and faults in it are found', async () => {
    const folder = await temporaryStore();
    await writeSampleSet(folder);
    const there = await openStore(url('set'), { endpoint: server.endpoint });
    const knowledge = await writeSampleSet(there);
    expect(await verifyKnowledge(there)).toEqual({ shards: 3, records: 150, faults: [] });
    const due = await readAllRecords(await KnowledgeSet.open(folder));
    expect(await readAllRecords(await KnowledgeSet.open(there))).toEqual(due);

    // Behind the server's back, as a failing disk would.
    const file = path.join(server.folder, 'set', shardFile(sampleShards(knowledge)[1]!.layout.header));
    const bytes = await readFile(file);
    bytes[bytes.length - 60]! ^= 4;
    await writeFile(file, bytes);
    await expect(readAllRecords(await KnowledgeSet.open(there))).rejects.toMatchObject({ kind: 'damaged' });
    await rm(file);
    await expect(readAllRecords(await KnowledgeSet.open(there))).rejects.toMatchObject({ kind: 'missing-shard' });
  });

  it('says what is wrong: no bucket, no access, no server', async () => {
    const open = (bucket: string, endpoint = server.endpoint) => openStore(`s3://${bucket}/x`, { endpoint });
    await expect((await open('no-such-bucket')).write('x', [Buffer.of(1)])).rejects.toThrow(/no bucket no-such-bucket/);
    await expect((await open(server.bucket, 'http://127.0.0.1:1')).size('x')).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
    });
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    try {
      await expect((await open(server.bucket)).read('x', 0, 1)).rejects.toMatchObject({ code: Code.PERMISSION_DENIED });
    } finally {
      Object.assign(process.env, server.env);
    }
  });

  it('is taught into through a teacher-cache, and read through another one on the same store', async () => {
    const model = await startModelServer();
    const caches: ServiceProcess<'teacher-cache'>[] = [];
    const start = async (): Promise<KnowledgeClient> => {
      const flags = [
        '--listen',
        '127.0.0.1:0',
        '--metrics-listen',
        'off',
        '--store',
        url('sets'),
        '--s3-endpoint',
        server.endpoint,
      ];
      const service = await startServiceProcess('teacher-cache', flags, { env: server.env, onLog: () => {} });
      caches.push(service);
      return new KnowledgeClient({ address: service.address });
    };
    const clients = [await start(), await start()];
    try {
      const args = [
        '--split',
        'holdout',
        '--images',
        '20',
        '--views',
        '2',
        '--images-per-shard',
        '5',
        '--set',
        'taught',
      ];
      const teach = (i: number, share: string) =>
        semlink([
          'teach',
          '--teacher',
          `grpc://${model.address}/large`,
          ...args,
          '--teacher-cache',
          clients[i]!.address,
          '--shard',
          share,
        ]);
      expect((await teach(0, '0/2')).status).toBe(0);
      expect(await clients[1]!.describe('taught')).toMatchObject({ published: false });
      expect((await teach(1, '1/2')).stderr).toContain('published');
      const [one, other] = await Promise.all(clients.map((client) => client.get('taught', [39, 0, 20])));
      expect(one!.length).toBe(3 * 14);
      expect(one).toEqual(other);
    } finally {
      for (const client of clients) client.close();
      for (const service of caches) expect(await service.stop()).toBe(0);
      await model.stop();
    }
  });

  it('is the same to the byte, whether one worker taught it or several at once into one bucket', async () => {
    const model = await startModelServer();
    const teach = (prefix: string, share: string) =>
      semlink(
        [
          ...[
            'teach',
            '--teacher',
            `grpc://${model.address}/large`,
            '--split',
            'holdout',
            '--images',
            '40',
            '--views',
            '3',
          ],
          ...['--images-per-shard', '5', '--store', url(prefix), '--s3-endpoint', server.endpoint, '--shard', share],
        ],
        { env: server.env },
      );
    try {
      expect((await teach('by-one', '0/1')).status).toBe(0);
      // Workers of a job start together, and one of them is started twice, as a scheduler may.
      const shares = ['0/3', '1/3', '2/3', '2/3'];
      const workers = await Promise.all(shares.map((share) => teach('by-many', share)));
      for (const [i, { status, stderr }] of workers.entries()) expect(status, `${shares[i]}: ${stderr}`).toBe(0);
      const [one, many] = await Promise.all(
        ['by-one', 'by-many'].map(async (prefix) => openStore(url(prefix), { endpoint: server.endpoint })),
      );
      const objects = await names(one!);
      expect(objects.length).toBeGreaterThan(8);
      expect(await names(many!)).toEqual(objects);
      for (const name of objects) {
        const size = (await one!.size(name))!;
        const [expected, got] = await Promise.all([one!.read(name, 0, size), many!.read(name, 0, size + 1)]);
        expect(Buffer.from(got).equals(Buffer.from(expected)), name).toBe(true);
      }
      expect(await verifyKnowledge(many!)).toEqual({ shards: 8, records: 120, faults: [] });
    } finally {
      await model.stop();
    }
  });

  it('takes sets of another description side by side, each below its own prefix', async () => {
    const root = await openStore(url('several'), { endpoint: server.endpoint });
    await writeSampleSet(root.below('a'), sampleDescription({ views: 2 }));
    await writeSampleSet(root.below('b'), sampleDescription({ views: 5 }));
    expect((await KnowledgeSet.open(root.below('a'))).records).toBe(100);
    expect((await KnowledgeSet.open(root.below('b'))).records).toBe(250);
  });
});
