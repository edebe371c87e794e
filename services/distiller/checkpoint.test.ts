import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiledModule } from '../../shared/build/compiled.js';
import { seededNormal } from '../../shared/codec/small-model.fixture.js';
import { loadConfig } from '../../shared/config/index.js';
import { type Checkpoint, CheckpointFile } from './checkpoint.js';
import { type DistillerConfig, distillerConfig } from './config.js';

const configWith = (overrides: Record<string, unknown> = {}): DistillerConfig =>
  loadConfig(distillerConfig, { overrides }).config!;

function checkpointOf(step: number, length = 50): Checkpoint {
  const normal = seededNormal(step);
  const vector = () => Float32Array.from({ length }, normal);
  return {
    optimizer: { step, weights: vector(), average: vector(), first: vector(), second: vector() },
    seconds: step * 1.25 + 0.1,
  };
}

describe('CheckpointFile', () => {
  let folder: string;
  let file: string;
  const checkpoints = (overrides: Record<string, unknown> = {}) => new CheckpointFile(folder, configWith(overrides));
  beforeEach(() => {
    folder = path.join(mkdtempSync(path.join(os.tmpdir(), 'semlink-checkpoint-')), 'run');
    file = path.join(folder, 'checkpoint.safetensors');
  });
  afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }));

  it('reads what was written last, bit for bit, and nothing when nothing was', async () => {
    expect(await checkpoints().read()).toBeUndefined();
    await checkpoints().write(checkpointOf(1));
    await checkpoints().write(checkpointOf(2));
    expect(await checkpoints().read()).toEqual(checkpointOf(2));
    expect(readdirSync(folder)).toEqual(['checkpoint.safetensors']);
    await checkpoints().remove();
    await checkpoints().remove();
    expect(await checkpoints().read()).toBeUndefined();
  });

  it('keeps the best look of a run that may stop early', async () => {
    const early = { best: { accuracy: 0.875, epoch: 4, average: Float32Array.of(1, 2, 3) }, inVain: 2 };
    await checkpoints().write({ ...checkpointOf(1), early });
    expect(await checkpoints().read()).toEqual({ ...checkpointOf(1), early });
  });

  it('goes by what the teacher said, not by where it lies', async () => {
    const origin = { teacher: 't', teacherSha256: 'a', augmentationSha256: 'b', views: 10, topK: 4 };
    const at = (knowledge: string, teacherSha256: string) =>
      new CheckpointFile(folder, configWith({ knowledge }), { knowledge: { ...origin, teacherSha256 } });
    await at('/here', 'a').write(checkpointOf(1));
    expect(await at('/there', 'a').read()).toEqual(checkpointOf(1));
    await expect(at('/here', 'c').read()).rejects.toThrow('other options');
  });

  it('goes by the weights that were begun from, not by where their model lies', async () => {
    const at = (startFrom: string | undefined, weightsSha256: string) =>
      new CheckpointFile(folder, configWith({ startFrom }), startFrom ? { start: { model: 'm', weightsSha256 } } : {});
    await at('m', 'a').write(checkpointOf(1));
    expect(await at('/elsewhere/m', 'a').read()).toEqual(checkpointOf(1));
    await expect(at('m', 'b').read()).rejects.toThrow('other options');
    await expect(at(undefined, '').read()).rejects.toThrow('other options');
  });

  it('keeps zeros, infinities and the smallest numbers', async () => {
    const weights = Float32Array.of(0, -0, Number.POSITIVE_INFINITY, 2 ** -149, -3.4e38);
    const checkpoint = checkpointOf(3, 5);
    checkpoint.optimizer.weights = weights;
    await checkpoints().write(checkpoint);
    expect([...(await checkpoints().read())!.optimizer.weights]).toEqual([...weights]);
  });

  it.each<[string, unknown]>([
    ['seed', 2],
    ['epochs', 81],
    ['images', 1000],
    ['batchSize', 64],
    ['learningRate', 0.1],
    ['weightDecay', 0],
    ['labelSmoothing', 0],
    ['auxiliaryWeight', 0],
    ['averageDecay', 0.5],
    ['snrLowDb', -9],
    ['snrHighDb', 21],
    ['rayleighShare', 0],
    ['channelUses', [2, 4]],
    ['threads', 2],
  ])('is refused by a run with another %s, saying what to do', async (option, value) => {
    await checkpoints().write(checkpointOf(1));
    const refused = checkpoints({ [option]: value }).read();
    await expect(refused).rejects.toThrow(`${file} is of a run with other options`);
    await expect(refused).rejects.toThrow(/--fresh/);
  });

  it('does not mind where and under what name the model will be written', async () => {
    await checkpoints().write(checkpointOf(1));
    const elsewhere = checkpoints({
      name: 'other',
      models: '/elsewhere',
      work: 'w',
      fresh: true,
      'metrics.listen': '127.0.0.1:9468',
    });
    expect(await elsewhere.read()).toEqual(checkpointOf(1));
  });

  it('is named when it is damaged, with what to do', async () => {
    await checkpoints().write(checkpointOf(1));
    const whole = readFileSync(file);
    const damaged = [
      Buffer.alloc(0),
      whole.subarray(0, 5),
      whole.subarray(0, 100),
      whole.subarray(0, whole.length - 1),
      Buffer.from(whole.toString('latin1').replace('"average"', '"averag_"'), 'latin1'),
      Buffer.from(whole.toString('latin1').replace('"step":"1"', '"step":"x"'), 'latin1'),
      Buffer.from('not at all what it should be'),
    ];
    for (const bytes of damaged) {
      writeFileSync(file, bytes);
      const refused = checkpoints().read();
      await expect(refused).rejects.toThrow(file);
      await expect(refused).rejects.toThrow(/damaged.*--fresh/);
    }
  });

  it('is not taken for missing when it cannot be read', async () => {
    mkdirSync(file, { recursive: true });
    await expect(checkpoints().read()).rejects.toThrow(file);
  });

  it('survives a write that was cut off before it was renamed', async () => {
    await checkpoints().write(checkpointOf(1));
    writeFileSync(`${file}.new`, readFileSync(file).subarray(0, 77));
    expect(await checkpoints().read()).toEqual(checkpointOf(1));
    await checkpoints().write(checkpointOf(2));
    expect(await checkpoints().read()).toEqual(checkpointOf(2));
    expect(readdirSync(folder)).toEqual(['checkpoint.safetensors']);
  });

  it('is whole after the process was killed while writing', async () => {
    const length = 200_000;
    // A process that does nothing but write checkpoints, each all of its own number.
    const program = `
      const { CheckpointFile } = await import(${JSON.stringify(compiledModule('services/distiller/checkpoint.ts').href)});
      const checkpoints = new CheckpointFile(${JSON.stringify(folder)}, ${JSON.stringify(configWith())});
      for (let step = 1; ; step++) {
        const vector = new Float32Array(${length}).fill(step);
        const optimizer = { step, weights: vector, average: vector, first: vector, second: vector };
        await checkpoints.write({ optimizer, seconds: step });
        if (step === 2) console.log('written');
      }`;
    for (const waitMs of [0, 3, 8]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const { optimizer } = (await checkpoints().read())!;
      expect(optimizer.step).toBeGreaterThanOrEqual(2);
      for (const vector of [optimizer.weights, optimizer.average, optimizer.first, optimizer.second]) {
        expect(vector).toHaveLength(length);
        expect(vector.every((value) => value === optimizer.step)).toBe(true);
      }
    }
  });
});
