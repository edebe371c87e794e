import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  type ContainerRuntimeClient,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { FolderStore } from '../../shared/knowledge/folder-store.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { readAllRecords } from '../../shared/knowledge/record-stream.js';
import { sampleDescription, sampleShards } from '../../shared/knowledge/sample-set.fixture.js';
import { type KnowledgeStore, openStore } from '../../shared/knowledge/store.js';
import { Code } from '../../shared/rpc/errors.js';
import { s3Program } from '../knowledge/s3-server.fixture.js';
import { Faults, HardenedContainer, type ServiceContainer, startServiceContainer } from './containers.fixture.js';
import { containerEngine, imageOf } from './engine.fixture.js';
import { BUILD_LIMIT_MS, goTool } from './go-tools.fixture.js';
import { type ProxiedHop, startToxiproxy, type Toxiproxy } from './toxiproxy.fixture.js';

const engine = await containerEngine();
const proxyProgram = engine && (await goTool('toxiproxy-server'));
const storeProgram = proxyProgram && (await s3Program());

const BUCKET = 'knowledge';
const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'semlink-test',
  AWS_SECRET_ACCESS_KEY: 'semlink-test-secret',
  AWS_REGION: 'us-east-1',
};
const S3_PORT = 7070;

describe.skipIf(storeProgram === undefined)(
  'a teacher-cache in a container on an S3 server',
  { timeout: 120_000 },
  () => {
    let faults: Faults;
    let network: StartedNetwork;
    let s3: StartedTestContainer;
    let proxy: Toxiproxy;
    let toS3: ProxiedHop;
    let cache: ServiceContainer;
    let client: KnowledgeClient;
    /** What the CIFAR-10 set that ships says, read from its files. */
    let shipped: Buffer;

    beforeAll(async () => {
      faults = new Faults(engine as ContainerRuntimeClient);
      network = await new Network().start();
      [s3, proxy] = await Promise.all([startS3(network), startToxiproxy(proxyProgram!, network, 1)]);
      toS3 = await proxy.hop('s3', `s3:${S3_PORT}`);
      const endpoint = `http://127.0.0.1:${s3.getMappedPort(S3_PORT)}`;
      Object.assign(process.env, CREDENTIALS);
      const plain = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
      await plain.send(new CreateBucketCommand({ Bucket: BUCKET }));
      plain.destroy();
      const folder = FolderStore.open(path.join(projectRoot, 'shared', 'knowledge', 'cifar10'));
      await copy(folder, await openStore(`s3://${BUCKET}/sets/cifar10`, { endpoint }));
      shipped = Buffer.from(await readAllRecords(await KnowledgeSet.open(folder)));
      const store = ['--store', `s3://${BUCKET}/sets`, '--s3-endpoint', `http://${toS3.inside}`, '--cache-bytes', '0'];
      cache = await startServiceContainer('teacher-cache', network, store, CREDENTIALS);
      client = new KnowledgeClient({ address: cache.address, reconnectMs: 30_000 });
    }, BUILD_LIMIT_MS);
    afterAll(async () => {
      client?.close();
      await Promise.all([cache?.container, s3].map((container) => container?.stop({ timeout: 0 })));
      await proxy?.stop();
      await network?.stop();
    });

    it('hands out the whole set, byte for byte, and single records', async () => {
      expect((await client.published('cifar10')).images).toBeGreaterThan(1_000);
      expect((await recordsOf(client.stream('cifar10'))).equals(shipped)).toBe(true);
      const size = shipped.length / (await recordCount());
      const [last, first] = [(await recordCount()) - 1, 0];
      const due = Buffer.concat([shipped.subarray(last * size), shipped.subarray(0, size)]);
      expect(Buffer.from(await client.get('cifar10', [last, first])).equals(due)).toBe(true);
    });

    it('takes a new set and publishes it with its last shard; another one on the same store reads it', async () => {
      const knowledge = sampleDescription();
      const shards = sampleShards(knowledge);
      for (const [index, { entry, file }] of shards.entries()) {
        expect((await client.describe('sample'))?.published ?? false).toBe(false);
        await client.put('sample', knowledge, entry, file);
        if (index < shards.length - 1) expect((await client.describe('sample'))?.published).toBe(false);
      }
      const flags = ['--store', `s3://${BUCKET}/sets`, '--s3-endpoint', `http://s3:${S3_PORT}`];
      const other = await startServiceContainer('teacher-cache', network, flags, CREDENTIALS);
      const reader = new KnowledgeClient({ address: other.address });
      try {
        const mine = await recordsOf(client.stream('sample'));
        expect(mine.length).toBeGreaterThan(0);
        expect((await recordsOf(reader.stream('sample'))).equals(mine)).toBe(true);
      } finally {
        reader.close();
        await other.container.stop({ timeout: 0 });
      }
    });

    it('killed in the middle of a stream and started again: every record comes once, in order', async () => {
      let killed: Promise<void> | undefined;
      const records = await recordsOf(client.stream('cifar10', { batch: 256 }), () => {
        killed ??= faults.kill(cache).then(() => faults.start(cache));
      });
      await killed;
      expect(records.equals(shipped)).toBe(true);
    });

    it('slow and narrow line to S3: the same bytes', async () => {
      await toS3.add({ type: 'latency', stream: 'downstream', attributes: { latency: 40 } });
      await toS3.add({ type: 'bandwidth', stream: 'downstream', attributes: { rate: 2_000 } });
      const images = 2_000;
      const part = await recordsOf(client.stream('cifar10', { images }));
      expect(part.equals(shipped.subarray(0, part.length))).toBe(true);
      expect(part.length).toBeGreaterThan(0);
      await proxy.reset();
    });

    it('says that the store is not reached while the line to S3 is cut, and goes on when it is mended', async () => {
      await toS3.cut();
      await expect(client.get('cifar10', [7])).rejects.toMatchObject({ code: Code.UNAVAILABLE });
      await toS3.restore();
      expect((await client.get('cifar10', [7])).length).toBeGreaterThan(0);
    });

    const recordCount = async (): Promise<number> => {
      const { images, views } = await client.published('cifar10');
      return images * views;
    };
  },
);

/** versitygw on the base of an image that is there; its objects in memory. */
function startS3(network: StartedNetwork): Promise<StartedTestContainer> {
  const access = ['--access', CREDENTIALS.AWS_ACCESS_KEY_ID, '--secret', CREDENTIALS.AWS_SECRET_ACCESS_KEY];
  return new HardenedContainer(imageOf('channel-emulator'))
    .withBindMounts([{ source: storeProgram!, target: '/versitygw', mode: 'ro' }])
    .withTmpFs({ '/data': 'rw,mode=1777', '/metadata': 'rw,mode=1777' })
    .withEntrypoint(['/versitygw', '--port', `:${S3_PORT}`, ...access, 'posix', '--sidecar', '/metadata', '/data'])
    .withNetwork(network)
    .withNetworkAliases('s3')
    .withExposedPorts(S3_PORT)
    .withWaitStrategy(Wait.forListeningPorts())
    .start();
}

async function copy(from: KnowledgeStore, to: KnowledgeStore): Promise<void> {
  for await (const name of from.list()) {
    await to.write(name, [await from.read(name, 0, (await from.size(name))!)]);
  }
  to.close();
}

async function recordsOf(
  batches: AsyncIterable<{ records: Uint8Array }>,
  onBatch: () => void = () => {},
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { records } of batches) {
    parts.push(records);
    onBatch();
  }
  return Buffer.concat(parts);
}
