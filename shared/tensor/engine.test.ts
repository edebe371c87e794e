process.env.TF_NUM_INTRAOP_THREADS = '1';

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphPorts } from '../codec/model-folder.js';
import type { NetworkSpec } from '../codec/network.js';
import { encoderGraph } from '../codec/network-graph.js';
import { encoderOnnx } from '../codec/network-onnx.js';
import { randomImages, randomWeights, SMALL_SPEC } from '../codec/small-model.fixture.js';
import { Engine, type EngineModel } from './engine.js';
import { ModelSession } from './session.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'semlink-engine-'));
/** Wide and large enough that a batch takes a while. */
const heavySpec: NetworkSpec = { ...SMALL_SPEC, width: 32, height: 32, stages: [32, 48, 64] };

function folderOf(spec: NetworkSpec): string {
  const folder = mkdtempSync(path.join(root, 'encoder-'));
  writeFileSync(path.join(folder, 'saved_model.pb'), encoderGraph(spec, randomWeights(spec, 7)));
  return folder;
}

const smallFolder = folderOf(SMALL_SPEC);
const ports = graphPorts(SMALL_SPEC, 'encoder');

/** Fresh inputs of a batch. */
function inputs(spec: NetworkSpec, batch: number, seed = 1): (Float32Array | Uint8Array)[] {
  return [
    randomImages(spec, batch, seed),
    new Float32Array(batch).fill(7),
    new Float32Array(batch).fill(spec.maxChannelUses),
  ];
}

describe('Engine', () => {
  let engine: Engine;
  beforeAll(() => {
    engine = new Engine({ threads: 1 });
  });
  afterAll(async () => {
    await engine.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('gives what a session in this thread gives, each caller its own', async () => {
    const model = await engine.load(smallFolder, ports);
    const session = new ModelSession(smallFolder, ports);
    const seeds = [1, 2, 3, 4, 5, 6];
    const answers = await Promise.all(seeds.map((seed) => model.run(seed, inputs(SMALL_SPEC, seed, seed))));
    answers.forEach(({ output, seconds }, i) => {
      expect(output).toEqual(session.run(seeds[i]!, inputs(SMALL_SPEC, seeds[i]!, seeds[i])));
      expect(seconds).toBeGreaterThan(0);
    });
    session.dispose();
  });

  it('takes the buffers of its inputs over instead of copying them', async () => {
    const model = await engine.load(smallFolder, ports);
    const given = inputs(SMALL_SPEC, 2);
    await model.run(2, given);
    expect(given.map((array) => array.length)).toEqual([0, 0, 0]);
  });

  it('names the folder of a model that is missing or damaged, and goes on', async () => {
    const missing = path.join(root, 'no-such-model');
    await expect(engine.load(missing, ports)).rejects.toThrow(`cannot load the TensorFlow model in ${missing}`);
    const damaged = mkdtempSync(path.join(root, 'damaged-'));
    writeFileSync(path.join(damaged, 'saved_model.pb'), 'not a graph');
    await expect(engine.load(damaged, ports)).rejects.toThrow(`cannot load the TensorFlow model in ${damaged}`);
    const model = await engine.load(smallFolder, ports);
    expect((await model.run(1, inputs(SMALL_SPEC, 1))).output).toHaveLength(2 * SMALL_SPEC.maxChannelUses);
  });

  it('rejects only the call whose inputs do not fit', async () => {
    const model = await engine.load(smallFolder, ports);
    const [good, short, few, after] = await Promise.allSettled([
      model.run(1, inputs(SMALL_SPEC, 1)),
      model.run(3, inputs(SMALL_SPEC, 2)),
      model.run(1, inputs(SMALL_SPEC, 1).slice(0, 2)),
      model.run(2, inputs(SMALL_SPEC, 2)),
    ]);
    expect(good.status).toBe('fulfilled');
    expect(short).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/./) } });
    expect(few).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/./) } });
    expect(after.status).toBe('fulfilled');
  });

  it('keeps this thread free while a large batch is computed', async () => {
    const model = await engine.load(folderOf(heavySpec), graphPorts(heavySpec, 'encoder'));
    const given = inputs(heavySpec, 256);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { seconds } = await model.run(256, given);
    clearInterval(timer);
    // In this thread the session call would let no timer fire at all.
    expect(ticks).toBeGreaterThan(2);
    expect(seconds).toBeGreaterThan(0.005);
  });

  it.each([
    ['in threads of their own', { threads: 1, instances: 2 }],
    ['small batches in this thread', { threads: 1, instances: 1, inlineFrames: 2 }],
    ['all in this thread', { threads: 1, instances: 0 }],
  ])('runs ONNX models %s, to the numbers of TensorFlow', async (_, options) => {
    const own = new Engine(options);
    const model = await own.load(encoderOnnx(SMALL_SPEC, randomWeights(SMALL_SPEC, 7)), ports);
    expect(model.parallel).toBe(Math.max(1, options.instances));
    const session = new ModelSession(smallFolder, ports);
    const seeds = [1, 2, 3, 4, 5];
    const answers = await Promise.all(seeds.map((seed) => model.run(seed, inputs(SMALL_SPEC, seed, seed))));
    answers.forEach(({ output }, i) => {
      const expected = session.run(seeds[i]!, inputs(SMALL_SPEC, seeds[i]!, seeds[i]));
      expect(output).toHaveLength(expected.length);
      output.forEach((value, at) => {
        expect(value).toBeCloseTo(expected[at]!, 4);
      });
    });
    session.dispose();
    await own.close();
    await expect(model.run(1, inputs(SMALL_SPEC, 1))).rejects.toThrow(/engine has been closed/);
  });

  it('never runs TensorFlow in the thread that calls', async () => {
    await expect(new Engine({ threads: 1, instances: 0 }).load(smallFolder, ports)).rejects.toThrow(
      'TensorFlow needs an engine with at least one instance',
    );
  });

  it('rejects everything that waits exactly once when it is closed in the middle, and everything later', async () => {
    const own = new Engine({ threads: 1 });
    let failures = 0;
    own.onFailure = () => failures++;
    const model: EngineModel = await own.load(smallFolder, ports);
    const settled: string[] = [];
    const calls = Array.from({ length: 20 }, (_, i) =>
      model.run(64, inputs(SMALL_SPEC, 64)).then(
        () => settled.push(`done ${i}`),
        (error: Error) => settled.push(error.message),
      ),
    );
    await own.close();
    await Promise.all(calls);
    expect(settled).toHaveLength(20);
    expect(settled.at(-1)).toMatch(/engine has been closed/);
    await expect(model.run(1, inputs(SMALL_SPEC, 1))).rejects.toThrow(/engine has been closed/);
    await expect(own.load(smallFolder, ports)).rejects.toThrow(/engine has been closed/);
    await own.close();
    expect(failures).toBe(0);
  });
});
