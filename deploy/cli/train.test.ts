import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestSchema } from '../../shared/codec/manifest.js';
import { readSafetensors } from '../../shared/tensor/safetensors.js';
import { until } from '../../test/integration/link.fixture.js';
import { childrenOf, knowsChildren, semlink, startSemlink } from '../../test/integration/semlink-command.fixture.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-train-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The smallest codec, one length (so that calibration is short), two epochs of 40 steps. */
function trainArgs(run: string, ...more: string[]): string[] {
  const options = {
    size: 's',
    'channel-uses': 64,
    epochs: 2,
    images: 1_280,
    'batch-size': 32,
    threads: 1,
    name: 'tiny',
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const where = ['--models', path.join(folder, run, 'models'), '--work', path.join(folder, run, 'work')];
  return ['train', ...flags, ...where, ...more];
}

const published = (run: string, ...file: string[]) => path.join(folder, run, 'models', 'tiny', ...file);
const checkpoint = (run: string) => path.join(folder, run, 'work', 'tiny', 'checkpoint.safetensors');

describe('semlink train', () => {
  it.skipIf(!knowsChildren)(
    'stopped by Ctrl-C leaves a checkpoint, and the same command goes on to the very same weights',
    { timeout: 180_000 },
    async () => {
      const run = startSemlink(trainArgs('stopped'));
      await until(() => run.stdout.includes('epoch   1'), 60_000);
      // A terminal sends it to both.
      for (const { pid } of [...(await childrenOf(run.child.pid!)), { pid: run.child.pid! }])
        process.kill(pid, 'SIGINT');
      expect(await run.ended).toBe(130);
      expect(run.stdout).toContain('stopped; the same command goes on from here');
      expect(existsSync(published('stopped'))).toBe(false);
      const { metadata } = readSafetensors(await readFile(checkpoint('stopped')));
      expect(Number(metadata.step)).toBeGreaterThan(40);
      expect(Number(metadata.step)).toBeLessThan(80);

      const other = await semlink(trainArgs('stopped', '--seed', '2'));
      expect(other.status).toBe(1);
      expect(other.stderr).toMatch(
        /^semlink train: .*checkpoint\.safetensors is of a run with other options; .*--fresh/m,
      );

      const resumed = await semlink(trainArgs('stopped'));
      expect(resumed.status).toBe(0);
      expect(resumed.stdout).toContain(`going on from step ${metadata.step} of 80`);
      expect(resumed.stdout).toContain(`published ${published('stopped')}`);
      const whole = await semlink(trainArgs('whole'));
      expect(whole.status).toBe(0);

      const weights = (name: string) => readFile(published(name, 'weights.safetensors'));
      expect(sha256(await weights('stopped'))).toBe(sha256(await weights('whole')));
      const record = (name: string) => readFile(path.join(folder, name, 'work', 'tiny', 'training.jsonl'), 'utf8');
      expect((await record('stopped')).trim().split('\n')).toHaveLength(2);
      const [one, two] = await Promise.all(['stopped', 'whole'].map(readManifest));
      expect({ ...one!.training, seconds: 0 }).toEqual({ ...two!.training, seconds: 0 });
      expect(one!.calibration).toEqual(two!.calibration);
      expect(one!.files).toEqual(two!.files);
      for (const [file, hash] of Object.entries(one!.files)) {
        expect(sha256(await readFile(published('stopped', file)))).toBe(hash);
      }
    },
  );
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function readManifest(run: string) {
  return manifestSchema.parse(JSON.parse(await readFile(published(run, 'manifest.json'), 'utf8')));
}
