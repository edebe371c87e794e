process.env.TF_NUM_INTRAOP_THREADS = '1';

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModel, SHIPPED_MODELS } from '../../shared/codec/model-folder.js';
import { loadConfig } from '../../shared/config/index.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { JobSpan, SPANS } from '../../shared/telemetry/index.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { type DistillerConfig, distillerConfig } from './config.js';
import { look } from './looks.js';
import type { EpochRecord } from './record.js';
import { networkSpec } from './sizes.js';
import { loadStartModel } from './start-model.js';
import { train } from './train.js';
import { Trainer } from './trainer.js';

const SHIPPED = 's-cifar10-2';
const configWith = (overrides: Record<string, unknown> = {}): DistillerConfig =>
  loadConfig(distillerConfig, { overrides: { size: 's', images: 500, epochs: 1, ...overrides } }).config!;
const spec = networkSpec(configWith());

describe('a run that starts from a published model', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'semlink-start-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('finds it by name in the folder of models, among the shipped, or by its folder', async () => {
    const { manifest } = await openModel(path.join(SHIPPED_MODELS, SHIPPED));
    const origin = { model: SHIPPED, weightsSha256: manifest.files['weights.safetensors'] };
    cpSync(path.join(SHIPPED_MODELS, SHIPPED), path.join(folder, 'copy'), { recursive: true });
    for (const wanted of [SHIPPED, 'copy', path.join(folder, 'copy')]) {
      expect((await loadStartModel(wanted, folder, spec)).origin).toEqual(origin);
    }
  });

  it('says where no model is, and how the network differs', async () => {
    await expect(loadStartModel('nothing', folder, spec)).rejects.toThrow(
      `--start-from nothing: no published model in ${path.join(folder, 'nothing')}`,
    );
    const medium = networkSpec(configWith({ size: 'm' }));
    await expect(loadStartModel(SHIPPED, folder, medium)).rejects.toThrow(
      /--start-from s-cifar10-2: its network is another: stages 16,32,46, not 32,48,96; .*--size/,
    );
    const unadapted = networkSpec(configWith({ withoutAdaptation: true }));
    await expect(loadStartModel(SHIPPED, folder, unadapted)).rejects.toThrow('unadapted false, not true');
  });

  it('has every weight of it, and names one that is missing', { timeout: 120_000 }, async () => {
    const training = await loadCifar10('train');
    const images = { ...training, rgb: training.images, count: 500 };
    const { weights } = await loadStartModel(SHIPPED, folder, spec);
    const begin = (start: typeof weights) =>
      new Trainer(loadTensorFlow(), configWith({ batchSize: 16 }), spec, images, { start });
    const begun = begin(weights).average();
    expect([...begun.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [name, { data }] of weights) {
      if (!/\/(mean|variance)$/.test(name)) expect(begun.get(name)!.data, name).toEqual(data);
    }
    const less = new Map(weights);
    less.delete('decoder/2/bias');
    expect(() => begin(less)).toThrow('"decoder/2/bias" is missing');
  });

  it('is as good at its first look as the model, and publishes what it started from', {
    timeout: 180_000,
  }, async () => {
    const said: string[] = [];
    const epochs: EpochRecord[] = [];
    const reporter = {
      say: (s: string) => void said.push(s),
      progress: () => {},
      epoch: (e: EpochRecord) => void epochs.push(e),
    };
    const config = configWith({
      startFrom: SHIPPED,
      name: 'fitted',
      models: path.join(folder, 'models'),
      work: path.join(folder, 'work'),
      learningRate: 1e-5,
      calibrationImages: 100,
    });
    const job = JobSpan.start('distiller', SPANS.distill, {});
    const model = await job.around(() => train(config, reporter, new AbortController().signal, job));

    const { weights, origin } = await loadStartModel(SHIPPED, folder, spec);
    const accuracy = await look(weights, spec, await loadCifar10('holdout'));
    const begins = said.find((sentence) => sentence.startsWith(`begins from ${SHIPPED}`))!;
    for (const [point, value] of Object.entries(accuracy)) {
      const [, percent] = begins.match(new RegExp(`${point}: ([0-9.]+) %`))!;
      // Batch statistics are taken anew, from other batches.
      expect(Math.abs(Number(percent) / 100 - value)).toBeLessThan(0.02);
      expect(Math.abs(epochs[0]!.holdout![point]! - value)).toBeLessThan(0.02);
    }
    expect(model!.manifest.training.startedFrom).toEqual(origin);
    expect(model!.manifest.training.command).toContain(`--start-from ${SHIPPED}`);
    expect((await openModel(model!.folder)).manifest.calibration.images).toBe(100);
  });
});
