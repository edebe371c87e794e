/**
 * Standard distillation: size S learns from a teacher that is asked about every image of every batch, in a view that no
 * one has seen before, with its whole 32-bit answer. Loss, steps, order of the images, seeds and channel are those of
 * ablations.js, so the difference to its run "all parts" is what storing ten views of each image costs. Goes on where it
 * was after a kill; runs that are in the results are not made again.
 *
 *   node dist/test/baselines/teacher-in-loop.js --help
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { LabelledImages } from '../../services/distiller/batches.js';
import { CheckpointFile } from '../../services/distiller/checkpoint.js';
import { distillerConfig } from '../../services/distiller/config.js';
import { networkSpec } from '../../services/distiller/sizes.js';
import { Trainer } from '../../services/distiller/trainer.js';
import { openTeacher } from '../../services/teacher/ensemble.js';
import { readTeacherSpec } from '../../services/teacher/spec.js';
import { defineConfig, loadConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { readResults } from './earlier-results.js';
import { EpochOfTeacher } from './epoch-of-teacher.js';
import { gridPoints, measuredWeights, type RunResult } from './run-result.js';
import { TrainingProgress } from './training-progress.js';

const definition = defineConfig({
  name: 'teacher-in-loop',
  description: 'Trains and evaluates size S with the teacher in the loop: the baseline of the method.',
  fields: {
    teacher: option(z.string(), { description: 'The teacher, as for `semlink teach`.', placeholder: 'FILE' }),
    epochs: option(z.int().min(1).max(1000).default(6), { description: 'Passes over the images.' }),
    images: option(z.int().min(500).max(45_000).default(45_000), { description: 'Training images.' }),
    seeds: option(z.array(z.int().min(0)).min(1).default([1, 2, 3]), { description: 'Seeds of training.' }),
    precision: option(z.enum(['float32', 'bfloat16']).default('float32'), { description: 'Of the training.' }),
    threads: option(z.int().min(1).max(256).default(1), { description: 'Threads of the teacher.' }),
    testImages: option(z.int().min(100).max(10_000).default(10_000), { description: 'Test images, for a quick try.' }),
    work: option(z.string().default('.training/teacher-in-loop'), {
      description: 'Folder of the checkpoints, one an epoch.',
      placeholder: 'FOLDER',
    }),
    json: option(z.string().default('test/baselines/results/teacher-in-loop.json'), {
      description: 'Where to write the results.',
      placeholder: 'FILE',
    }),
  },
});

const { config } = loadConfigOrExit(definition, process.argv.slice(2));
const { epochs, images, precision } = config;
const madeBy = `node dist/test/baselines/teacher-in-loop.js --teacher FILE --epochs ${epochs} --images ${images} --precision ${precision}`;
const training = await loadCifar10('train');
const whole = await loadCifar10('test');
const test = { ...whole, count: config.testImages };
const spec = await readTeacherSpec(config.teacher);
const teacher = await openTeacher(spec, { width: training.width, height: training.height, threads: config.threads });
const header = { made_by: madeBy, teacher: teacher.name, teacher_sha256: teacher.sha256, test_images: test.count };
const results: RunResult[] = await readResults(config.json, header);
for (const seed of config.seeds) {
  if (results.some((done) => done.seed === seed)) continue;
  results.push(await run(seed));
  await writeFile(`${config.json}.new`, `${JSON.stringify({ ...header, results }, null, 1)}\n`);
  await rename(`${config.json}.new`, config.json);
}
await teacher.close();

async function run(seed: number): Promise<RunResult> {
  const settings = { ...loadConfig(distillerConfig).config!, size: 's' as const, seed, epochs, images, precision };
  const network = networkSpec(settings);
  const data: LabelledImages = { ...training, rgb: training.images, count: images };
  const folder = path.join(config.work, `seed${seed}`);
  await mkdir(folder, { recursive: true });
  const file = new CheckpointFile(folder, settings);
  const resume = (await file.read())?.optimizer;
  const loop = new EpochOfTeacher(data, teacher, seed);
  const trainer = new Trainer(loadTensorFlow(), settings, network, data, { knowledge: loop, resume });
  const { stepsPerEpoch, steps } = trainer;
  if (resume) process.stderr.write(`seed ${seed}: going on from step ${trainer.step} of ${steps}\n`);
  const progress = new TrainingProgress(`seed ${seed}`, steps, 'steps', trainer.step);
  for (let epoch = Math.floor(trainer.step / stepsPerEpoch); epoch < epochs; epoch++) {
    await loop.ask(epoch, spec.batch);
    while (trainer.step < (epoch + 1) * stepsPerEpoch) {
      trainer.advance();
      progress.at(trainer.step);
    }
    await file.write({ optimizer: trainer.state(), seconds: 0 });
  }
  // The statistics that the network is normalised with are of the last views.
  if (loop.epoch !== epochs - 1) await loop.ask(epochs - 1, spec.batch);
  const points = await measuredWeights(trainer.average(), network, test, gridPoints(settings.channelUses));
  await rm(folder, { recursive: true });
  const what = 'standard distillation: the teacher in the loop';
  return { run: `in-loop-seed${seed}`, size: 's', epochs, images, seed, what, points };
}
