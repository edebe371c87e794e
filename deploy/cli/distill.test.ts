import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestSchema } from '../../shared/codec/manifest.js';
import { openModel } from '../../shared/codec/model-folder.js';
import { until } from '../../test/integration/link.fixture.js';
import { childrenOf, knowsChildren, semlink, startSemlink } from '../../test/integration/semlink-command.fixture.js';
import { scrape } from '../../test/telemetry/exposition-parse.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-distill-'));
});
afterAll(() => rm(folder, { recursive: true }));

const flags = (...more: string[]) => [
  'distill',
  ...['--size', 's', '--channel-uses', '64', '--images', '640', '--batch-size', '32', '--threads', '1'],
  ...['--models', path.join(folder, 'models'), '--work', path.join(folder, 'work'), ...more],
];

describe('semlink distill', () => {
  it.skipIf(!knowsChildren)(
    'learns from the stored knowledge, with no teacher and no ONNX runtime in its process',
    { timeout: 120_000 },
    async () => {
      const stored = path.join(folder, 'stored');
      const run = startSemlink(flags('--epochs', '2', '--metrics-listen', '127.0.0.1:0', '--publish-to', stored));
      await until(() => run.stdout.includes('epoch   1'), 60_000);
      const metrics = await scrape(/metrics at (\S+)\/metrics/.exec(run.stdout)![1]!);
      expect(metrics.value('semlink_job_phase', { phase: 'training' })).toBe(1);
      expect(metrics.value('semlink_training_images_total')).toBeGreaterThanOrEqual(640);
      expect(metrics.value('semlink_training_epoch')).toBeGreaterThanOrEqual(1);
      expect(metrics.value('semlink_training_epochs')).toBe(2);
      expect(metrics.value('semlink_job_progress_ratio')).toBeGreaterThanOrEqual(0.5);
      expect(metrics.value('semlink_training_loss_nats', { term: 'teacher' })).toBeGreaterThan(0);
      // The process in the middle of training, seen from outside: what it has mapped is what it has loaded.
      const [distiller] = await childrenOf(run.child.pid!);
      const maps = await readFile(`/proc/${distiller!.pid}/maps`, 'utf8');
      expect(maps).toContain('libtensorflow');
      expect(maps).not.toContain('onnxruntime');
      expect(await run.ended).toBe(0);
      expect(run.stdout).toContain('learning from cifar10-ensemble-of-4: 10 stored views an image');

      const name = 's-cifar10-2';
      const manifest = manifestSchema.parse(
        JSON.parse(await readFile(path.join(folder, 'models', name, 'manifest.json'), 'utf8')),
      );
      expect(manifest.training.command).toBe(
        `semlink distill --name ${name} --epochs 2 --images 640 --batch-size 32 --channel-uses 64 --size s`,
      );
      expect(run.stdout).toContain(`${name}: stored in ${stored}`);
      expect((await openModel(path.join(stored, name))).manifest).toEqual(manifest);
      expect(manifest.training.knowledge).toMatchObject({ teacher: 'cifar10-ensemble-of-4', views: 10, topK: 4 });
      const record = (await readFile(path.join(folder, 'work', name, 'training.jsonl'), 'utf8')).trim().split('\n');
      const [first, second] = record.map((line) => (JSON.parse(line) as { loss: { teacher: number } }).loss.teacher);
      expect(first).toBeGreaterThan(0);
      expect(second).toBeLessThan(first!);
    },
  );

  it('says before it trains that the store for its model is not reached', async () => {
    const store = ['--publish-to', 's3://models/published', '--s3-endpoint', 'http://127.0.0.1:1'];
    const env = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' };
    const { status, stdout, stderr } = await semlink(flags('--name', 'unreachable', '--epochs', '1', ...store), {
      env,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^semlink distill: .*s3:\/\/models\/published/m);
    expect(stdout).not.toContain('learning from');
  });

  it('says in one sentence when there is no knowledge where it was told to look', async () => {
    const { status, stderr } = await semlink(
      flags('--name', 'other', '--epochs', '1', '--knowledge', path.join(folder, 'none')),
    );
    expect(status).toBe(1);
    expect(stderr).toContain(`no knowledge has been published in ${path.join(folder, 'none')}`);
  });
});
