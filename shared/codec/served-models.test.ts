process.env.TF_NUM_INTRAOP_THREADS = '1';

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Code, type SemlinkError } from '../rpc/errors.js';
import type { ClosedBy } from '../tensor/batcher.js';
import { Engine } from '../tensor/engine.js';
import { ModelSession } from '../tensor/session.js';
import { graphFolder, graphPorts, type PublishedModel, publishModel } from './model-folder.js';
import { type BatchCodec, type EngineTimings, type ServedModel, ServedModels } from './served-models.js';
import { randomImages, randomWeights, SMALL_SPEC, smallManifest } from './small-model.fixture.js';

interface Job {
  rgb: Uint8Array;
  k: number;
}

/** Images at 10 dB in, their first k symbols out. */
const codec: BatchCodec<Job, number[]> = {
  role: 'encoder',
  bytesOf: (job) => job.rgb.length,
  gather: (jobs, { network }, [rgb, snrDb, channelUses]) => {
    const size = network.width * network.height * 3;
    jobs.forEach((job, i) => {
      if (job.rgb.length !== size) throw new Error(`an image of ${job.rgb.length} bytes`);
      rgb!.set(job.rgb, i * size);
    });
    snrDb!.fill(10);
    channelUses!.set(jobs.map(({ k }) => k));
  },
  result: (output, job) => Array.from(output.subarray(0, 2 * job.k)),
  example: ({ network }) => ({
    rgb: new Uint8Array(network.width * network.height * 3),
    k: network.maxChannelUses,
  }),
};

const imageBytes = SMALL_SPEC.width * SMALL_SPEC.height * 3;
const images = randomImages(SMALL_SPEC, 32, 3);
const job = (i: number): Job => ({ rgb: images.slice(i * imageBytes, (i + 1) * imageBytes), k: [1, 2, 4, 8][i % 4]! });

describe('ServedModels', () => {
  const parent = mkdtempSync(path.join(os.tmpdir(), 'semlink-served-'));
  const published = new Map<string, PublishedModel>();
  const batches: [number, ClosedBy][] = [];
  let engine: Engine;
  let models: ServedModels<Job, number[]>;

  const load = (defaultVersion: string, maxQueueBytes = 20 * imageBytes) =>
    ServedModels.load(engine, parent, defaultVersion, codec, {
      maxBatch: 4,
      maxQueueBytes,
      onBatch: (frames, closedBy) => batches.push([frames, closedBy]),
    });

  const run = (model: ServedModel<Job, number[]>, one: Job) =>
    new Promise<{ result: number[]; timings: EngineTimings }>((resolve, reject) =>
      model.submit(one, (answer, error) => (answer ? resolve(answer) : reject(error))),
    );

  beforeAll(async () => {
    for (const [i, version] of ['m-1', 'm-2'].entries()) {
      published.set(version, await publishModel(parent, smallManifest(version), randomWeights(SMALL_SPEC, i)));
    }
    engine = new Engine({ threads: 1 });
    models = await load('m-1');
  });
  afterAll(async () => {
    await engine.close();
    rmSync(parent, { recursive: true, force: true });
  });

  it('answers each job of each model with its own result, in batches of at most maxBatch', async () => {
    batches.length = 0;
    const asked = Array.from({ length: 10 }, (_, i) => ({ version: i % 2 ? 'm-1' : 'm-2', one: job(i) }));
    const answers = await Promise.all(asked.map(({ version, one }) => run(models.get(version), one)));
    answers.forEach(({ result, timings }, i) => {
      const { version, one } = asked[i]!;
      const session = new ModelSession(
        graphFolder(published.get(version)!, 'encoder'),
        graphPorts(SMALL_SPEC, 'encoder'),
      );
      const alone = session.run(1, [one.rgb, Float32Array.of(10), Float32Array.of(one.k)]);
      session.dispose();
      expect(result).toHaveLength(2 * one.k);
      result.forEach((value, at) => {
        expect(value).toBeCloseTo(alone[at]!, 4);
      });
      expect(timings.queueNanos).toBeGreaterThanOrEqual(0);
      expect(timings.computeNanos).toBeGreaterThan(0);
    });
    expect(batches.toSorted()).toEqual([
      [1, 'idle'],
      [1, 'idle'],
      [4, 'full'],
      [4, 'full'],
    ]);
    expect(answers.map(({ timings }) => timings.batchSize)).toEqual([4, 4, 4, 4, 4, 4, 4, 4, 1, 1]);
    expect(models.queueBytes).toBe(0);
  });

  it('has one default, the named one or the last by name', async () => {
    expect(models.get('').manifest.version).toBe('m-1');
    expect(models.defaultVersion).toBe('m-1');
    expect(models.all().map(({ manifest }) => manifest.version)).toEqual(['m-1', 'm-2']);
    expect((await load('')).get('').manifest.version).toBe('m-2');
    await expect(load('m-3')).rejects.toThrow(`no model "m-3" in ${parent}; there are m-1, m-2`);
  });

  it('says NOT_FOUND for an unknown version, naming those there are', () => {
    let error: SemlinkError | undefined;
    try {
      models.get('m-9');
    } catch (thrown) {
      error = thrown as SemlinkError;
    }
    expect(error?.code).toBe(Code.NOT_FOUND);
    expect(error?.message).toBe('model_version is "m-9"; this service has m-1, m-2');
  });

  it('says RESOURCE_EXHAUSTED when too much waits for a model, without holding up another, and recovers', async () => {
    const tight = await load('m-1', 3 * imageBytes);
    const model = tight.get('m-1');
    const waiting = [0, 1, 2].map((i) => run(model, job(i)));
    expect(tight.queueBytes).toBe(3 * imageBytes);
    expect(() => model.submit(job(3), () => {})).toThrow(
      expect.objectContaining({ code: Code.RESOURCE_EXHAUSTED, message: expect.stringContaining('engine queue') }),
    );
    await run(tight.get('m-2'), job(3));
    await Promise.all(waiting);
    expect(tight.queueBytes).toBe(0);
    await expect(run(model, job(3))).resolves.toBeDefined();
  });

  it('answers the jobs of a batch that failed with its error, and goes on', async () => {
    const bad = { rgb: new Uint8Array(5), k: 1 };
    const model = models.get('m-1');
    const together = await Promise.allSettled([run(model, job(0)), run(model, bad)]);
    for (const one of together) {
      expect(one).toMatchObject({ status: 'rejected', reason: { message: 'an image of 5 bytes' } });
    }
    await expect(run(model, job(0))).resolves.toBeDefined();
  });

  it('fails what waits and what comes when the engine ends', async () => {
    const own = new Engine({ threads: 1 });
    const served = await ServedModels.load(own, parent, '', codec, {
      maxBatch: 1,
      maxQueueBytes: 1e6,
      onBatch: () => {},
    });
    const waiting = Promise.allSettled([run(served.get(''), job(0)), run(served.get(''), job(1))]);
    await own.close();
    for (const one of await waiting) expect(one).toMatchObject({ status: 'rejected' });
    await expect(run(served.get(''), job(2))).rejects.toThrow(/engine has been closed/);
    expect(served.queueBytes).toBe(0);
  });
});
