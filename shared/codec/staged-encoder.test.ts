import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelSession } from '../tensor/session.js';
import { graphFolder, graphPorts, type PublishedModel, publishModel } from './model-folder.js';
import { randomImages, randomWeights, SMALL_SPEC, smallManifest } from './small-model.fixture.js';
import { StagedEncoder } from './staged-encoder.js';

let folder: string;
let model: PublishedModel;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-staged-'));
  model = await publishModel(folder, smallManifest(), randomWeights(SMALL_SPEC, 4));
});
afterAll(() => rm(folder, { recursive: true }));

it('gives what the published graph gives, for every condition', async () => {
  const staged = await StagedEncoder.of(model);
  expect(staged.staged).toBe(true);
  const whole = new ModelSession(graphFolder(model, 'encoder'), graphPorts(SMALL_SPEC, 'encoder'));
  const rgb = randomImages(SMALL_SPEC, 5, 9);
  const symbols = staged.prepare(rgb, 5);
  for (const [snrDb, k] of [
    [-10, 1],
    [3, 4],
    [20, 8],
  ] as const) {
    const expected = whole.run(5, [rgb, new Float32Array(5).fill(snrDb), new Float32Array(5).fill(k)]);
    const given = symbols(snrDb, k);
    expect(given.length).toBe(expected.length);
    given.forEach((x, i) => {
      expect(x).toBeCloseTo(expected[i]!, 4);
    });
  }
  staged.dispose();
  whole.dispose();
});
