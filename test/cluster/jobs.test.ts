/**
 * Teaching and distillation as the chart's Jobs on a real cluster, from an S3 server and from volumes, with pods killed in the
 * middle; the link then takes the model. Where SEMLINK_TEST_KUBECONFIG names a cluster of this machine (README.md).
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestSchema } from '../../shared/codec/manifest.js';
import { type KnowledgeStore, openStore } from '../../shared/knowledge/store.js';
import { semlink } from '../integration/semlink-command.fixture.js';
import { s3Program } from '../knowledge/s3-server.fixture.js';
import { CREDENTIALS, Namespace, nodeIsHere } from './jobs.fixture.js';
import { link, RESOURCES, Release } from './release.fixture.js';

const { SEMLINK_TEST_KUBECONFIG: kubeconfig } = process.env;
const here = kubeconfig !== undefined && (await nodeIsHere(kubeconfig));
if (!here) process.stderr.write('\n*** NO CLUSTER OF THIS MACHINE: the jobs of the chart are not tried ***\n\n');
const program = here ? await s3Program() : undefined;

const IMAGES = 640;
const VIEWS = 4;
const TEACHING = [`--images=${IMAGES}`, `--views=${VIEWS}`, '--images-per-shard=10'];
const distilling = (epochs: number) => [
  ...[`--images=${IMAGES}`, `--epochs=${epochs}`, '--look-epochs=100', '--batch-size=32'],
  ...['--channel-uses=64', '--calibration-images=500'],
];

describe.runIf(here)('jobs of the chart', { timeout: 600_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    process.env.KUBECONFIG = kubeconfig;
    Object.assign(process.env, CREDENTIALS);
    folder = await mkdtemp(path.join(tmpdir(), 'semlink-jobs-'));
  });
  afterAll(async () => {
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  describe.runIf(program)('with an S3 server', () => {
    const space = new Namespace('semlink-jobs-s3');
    const release = new Release(space);
    const buckets = { knowledge: 's3://knowledge/sets', models: 's3://models/published' };
    let endpoint: { inside: string; outside: string };
    let teacher: string;

    beforeAll(async () => {
      await space.make();
      [teacher, endpoint] = await Promise.all([space.teacher(folder), space.s3(program!), space.data()]);
      const client = new S3Client({ endpoint: endpoint.outside, region: 'us-east-1', forcePathStyle: true });
      for (const Bucket of ['knowledge', 'models']) await client.send(new CreateBucketCommand({ Bucket }));
      client.destroy();
    }, 120_000);
    afterAll(() => space.remove(), 120_000);

    it('teach in parts: a pod killed in its middle is made again and goes on; all is byte for byte what one worker makes', async () => {
      const s3 = { endpoint: endpoint.inside, credentialsSecret: 's3' };
      await release.apply({
        ...link(false),
        data: { existingClaim: 'data-sets' },
        models: { source: 's3', s3: { url: buckets.models, ...s3 } },
        knowledge: { source: 's3', s3: { url: buckets.knowledge, ...s3 } },
        teacherCache: { enabled: true, resources: RESOURCES },
        teach: {
          ...{ enabled: true, shards: 3, parallelism: 3, set: 'colours', args: TEACHING, resources: RESOURCES },
          teacherVolume: { configMap: { name: 'teacher' } },
        },
      });
      const halfway = await space.podWhose(
        'teacher',
        (metrics) => metrics.value('semlink_job_progress_ratio')! > 0.3,
        9469,
      );
      await space.kill(halfway);
      await space.completed('semlink-teach-1', 'teacher');
      expect(await space.logs('teacher')).toMatch(/\d+ of \d+ views are stored already/);

      const alone = path.join(folder, 'alone');
      const one = await semlink(['teach', '--teacher', teacher, '--store', alone, ...TEACHING]);
      expect(one.status, one.stderr).toBe(0);
      const made = await contents(await openStore(`${buckets.knowledge}/colours`, { endpoint: endpoint.outside }));
      expect([...made.keys()].length).toBeGreaterThan(IMAGES / 10);
      expect(made).toEqual(await contents(await openStore(alone)));
    });

    it('distil into the bucket; without a volume for checkpoints a pod that is killed begins anew', async () => {
      await release.apply({
        teach: { enabled: false },
        distill: {
          ...{ enabled: true, size: 's', name: 's-colours-1', set: 'colours', args: distilling(2) },
          resources: RESOURCES,
        },
      });
      const training = await space.podWhose(
        'distiller',
        (metrics) => metrics.value('semlink_training_images_total')! > 32 * 22,
        9468,
      );
      await space.kill(training);
      await space.completed('semlink-distill-1', 'distiller');
      const log = await space.logs('distiller');
      expect(log).not.toContain('going on from step');
      expect(log).toContain('learning from colours: 4 stored views an image');
      expect(log).toContain(`s-colours-1: stored in ${buckets.models}`);
    });

    it('the link fetches that model and carries images with it', async () => {
      await release.apply({ ...link(true), distill: { enabled: false } }, '--wait');
      expect(await release.tryLink()).toMatch(/^s-colours-1 +default/m);
    });
  });

  describe('with volumes', () => {
    const space = new Namespace('semlink-jobs-volumes');
    const release = new Release(space);
    const at = (name: string) => path.join(folder, 'volumes', name);

    beforeAll(async () => {
      await space.make();
      await space.data();
      await space.writableVolume('checkpoints', at('checkpoints'));
      // The chart makes these claims.
      await space.writableVolume('semlink-knowledge', at('knowledge'), { make: false });
      await space.writableVolume('semlink-models', at('models'), { make: false });
      const teacherFolder = await mkdtemp(path.join(folder, 'teacher-'));
      await space.teacher(teacherFolder);
    }, 120_000);
    afterAll(() => space.remove(), 120_000);

    it('teach, and distil what the teacher-cache hands out: a pod killed goes on from the checkpoint of the volume', async () => {
      await release.apply({
        ...link(false),
        data: { existingClaim: 'data-sets' },
        models: { source: 'pvc' },
        teacherCache: { enabled: true, resources: RESOURCES },
        teach: {
          ...{ enabled: true, shards: 1, parallelism: 1, set: 'colours', args: TEACHING, resources: RESOURCES },
          teacherVolume: { configMap: { name: 'teacher' } },
        },
      });
      await space.completed('semlink-teach-1', 'teacher');
      await release.apply({
        teach: { enabled: false },
        distill: {
          ...{ enabled: true, size: 's', name: 's-colours-2', set: 'colours', args: distilling(3) },
          ...{ workClaim: 'checkpoints', resources: RESOURCES },
        },
      });
      // An epoch is 20 steps; at its end is a checkpoint.
      const training = await space.podWhose(
        'distiller',
        (metrics) => metrics.value('semlink_training_images_total')! > 32 * 22,
        9468,
      );
      await space.kill(training);
      await space.completed('semlink-distill-1', 'distiller');
      const [, step] = /going on from step (\d+) of 60/.exec(await space.logs('distiller')) ?? [];
      expect(Number(step)).toBeGreaterThanOrEqual(20);
      const text = await readFile(path.join(at('models'), 's-colours-2', 'manifest.json'), 'utf8');
      expect(manifestSchema.parse(JSON.parse(text)).training).toMatchObject({
        epochs: 3,
        knowledge: { teacher: 'colours', views: VIEWS },
      });
    });

    it('the link takes the model from the volume', async () => {
      await release.apply({ ...link(true), distill: { enabled: false } }, '--wait');
      expect(await release.tryLink()).toMatch(/^s-colours-2 +default/m);
    });
  });
});

/** All objects of a store, as text of their bytes. */
async function contents(store: KnowledgeStore): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const name of store.list()) {
    const bytes = await store.read(name, 0, (await store.size(name))!);
    found.set(name, Buffer.from(bytes).toString('base64'));
  }
  store.close();
  return found;
}
