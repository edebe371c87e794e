/**
 * What storing costs: trains size S on a teacher's dense 32-bit answers, as they would be with the teacher in the loop, and
 * on the same answers as stored records, with the same steps, views and seeds, and evaluates both on the test images. Goes on
 * where it was after a kill, the teacher's answers and the trainings alike; runs that are in the results are not made again.
 *
 *   node dist/test/baselines/dense-knowledge.js --help
 */
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { TrainingKnowledge } from '../../services/distiller/batches.js';
import { CheckpointFile } from '../../services/distiller/checkpoint.js';
import { distillerConfig } from '../../services/distiller/config.js';
import { networkSpec } from '../../services/distiller/sizes.js';
import { Trainer } from '../../services/distiller/trainer.js';
import { openTeacher } from '../../services/teacher/ensemble.js';
import { readTeacherSpec } from '../../services/teacher/spec.js';
import type { Teacher } from '../../services/teacher/teacher.js';
import type { EvaluationPoint } from '../../shared/codec/link-evaluation.js';
import { defineConfig, loadConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { augmentation, SeededViews, writeView } from '../../shared/data/augment.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { describeKnowledge } from '../../shared/knowledge/description.js';
import { RecordCodec } from '../../shared/knowledge/record.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { readResults } from './earlier-results.js';
import { measuredWeights, type RunResult } from './run-result.js';
import { TrainingProgress } from './training-progress.js';

const CLASSES = 10;
const VIEW_SEED = 1;
const POINTS: EvaluationPoint[] = [
  { channel: { model: 'awgn', snrDb: 10 }, channelUses: 8 },
  { channel: { model: 'awgn', snrDb: 0 }, channelUses: 16 },
  { channel: { model: 'awgn', snrDb: -10 }, channelUses: 64 },
  { channel: { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 }, channelUses: 32 },
];

const definition = defineConfig({
  name: 'dense-knowledge',
  description:
    'Compares learning from dense 32-bit answers of a teacher with learning from the same answers as stored.',
  fields: {
    teacher: option(z.string(), { description: 'The teacher, as for `semlink teach`.', placeholder: 'FILE' }),
    views: option(z.int().min(1).max(100).default(4), { description: 'Views of each image.' }),
    topK: option(z.array(z.int().min(1).max(CLASSES)).min(1).default([4]), { description: 'Classes a record stores.' }),
    epochs: option(z.int().min(1).max(1000).default(6), { description: 'Passes over the images that every run gets.' }),
    images: option(z.int().min(500).max(45_000).default(45_000), { description: 'Training images.' }),
    seeds: option(z.array(z.int().min(0)).min(1).default([1, 2, 3]), { description: 'Seeds of training.' }),
    precision: option(z.enum(['float32', 'bfloat16']).default('float32'), { description: 'Of the training.' }),
    testImages: option(z.int().min(100).max(10_000).default(10_000), { description: 'Test images, for a quick try.' }),
    work: option(z.string().default('.training/dense-knowledge'), {
      description: "Folder where the teacher's answers are kept.",
      placeholder: 'FOLDER',
    }),
    json: option(z.string().default('test/baselines/results/dense-knowledge.json'), {
      description: 'Where to write the results.',
      placeholder: 'FILE',
    }),
  },
});

const { config } = loadConfigOrExit(definition, process.argv.slice(2));
const training = await loadCifar10('train');
const test = { ...(await loadCifar10('test')), count: config.testImages };
const views = new SeededViews(VIEW_SEED);
const spec = await readTeacherSpec(config.teacher);
const teacher = await openTeacher(spec, { width: training.width, height: training.height, threads: 1 });
const answers = await teacherAnswers(teacher, spec.batch);
await teacher.close();

const { epochs, images, precision } = config;
const header = {
  made_by: `node dist/test/baselines/dense-knowledge.js --teacher FILE --views ${config.views} --epochs ${epochs} --images ${images} --precision ${precision}`,
  teacher: teacher.name,
  teacher_sha256: teacher.sha256,
  views: config.views,
  test_images: test.count,
};
const results: RunResult[] = await readResults(config.json, header);
const due = config.seeds.flatMap((seed) => [dense(), ...config.topK.map(stored)].map((kind) => ({ seed, ...kind })));
for (const [i, { seed, name, knowledge }] of due.entries()) {
  if (results.some((done) => done.seed === seed && done.what === name)) continue;
  process.stderr.write(`run ${i + 1} of ${due.length}: ${name}, seed ${seed}\n`);
  const points = await pointsAfter(name, knowledge, seed);
  results.push({ run: `${name}, seed ${seed}`, size: 's', epochs, images, seed, what: name, points });
  await writeFile(`${config.json}.new`, `${JSON.stringify({ ...header, results }, null, 1)}\n`);
  await rename(`${config.json}.new`, config.json);
}

/** images x views x classes probabilities; asked for once and kept in a file. */
async function teacherAnswers(from: Teacher, batch: number): Promise<Float32Array> {
  const { images, views: count } = config;
  await mkdir(config.work, { recursive: true });
  const file = path.join(config.work, `${from.sha256.slice(0, 16)}-${images}x${count}.f32`);
  const kept = await readFile(file).catch(() => undefined);
  if (kept) return new Float32Array(kept.buffer.slice(kept.byteOffset, kept.byteOffset + kept.byteLength));
  const size = training.width * training.height * 3;
  const all = new Float32Array(images * count * CLASSES);
  const rgb = new Uint8Array(batch * size);
  // Appended to as answers come; after a kill the rows that are whole are kept.
  const part = `${file}.part`;
  const bytes = await readFile(part).catch(() => Buffer.alloc(0));
  const rows = Math.min(images * count, Math.floor(bytes.length / (4 * CLASSES)));
  new Uint8Array(all.buffer).set(bytes.subarray(0, rows * 4 * CLASSES));
  const out = await open(part, 'a');
  await out.truncate(rows * 4 * CLASSES);
  if (rows > 0) process.stderr.write(`${from.name}: going on after ${rows} views\n`);
  const progress = new TrainingProgress(from.name, images * count, 'views', rows);
  for (let first = rows; first < images * count; first += batch) {
    const now = Math.min(batch, images * count - first);
    for (let i = 0; i < now; i++) {
      const image = Math.floor((first + i) / count);
      writeView(training.images, image * size, training, views.viewOf(image, (first + i) % count), rgb, i * size);
    }
    const { probabilities } = await from.predict(rgb.subarray(0, now * size), now);
    all.set(probabilities, first * CLASSES);
    await out.appendFile(new Uint8Array(all.buffer, first * 4 * CLASSES, now * 4 * CLASSES));
    progress.at(first + now);
  }
  await out.sync();
  await out.close();
  await rename(part, file);
  return all;
}

/** The answers themselves. */
function dense(): { name: string; knowledge: TrainingKnowledge } {
  const knowledge: TrainingKnowledge = {
    views: config.views,
    classes: CLASSES,
    viewOf: (image, view) => views.viewOf(image, view),
    restore: (image, view, temperature, out, to) => {
      const at = (image * config.views + view) * CLASSES;
      let sum = 0;
      for (let c = 0; c < CLASSES; c++) sum += out[to + c] = answers[at + c]! ** (1 / temperature);
      for (let c = 0; c < CLASSES; c++) out[to + c]! /= sum;
    },
  };
  return { name: 'dense, 32 bits', knowledge };
}

/** The answers as records of `topK` classes. */
function stored(topK: number): { name: string; knowledge: TrainingKnowledge } {
  const { width, height } = training;
  const codec = new RecordCodec(
    describeKnowledge({
      dataSet: {
        name: 'cifar10/train',
        images: training.count,
        width,
        height,
        classes: CLASSES,
        sha256: '0'.repeat(64),
      },
      teacher: { name: teacher.name, sha256: teacher.sha256 },
      augmentation: augmentation(VIEW_SEED),
      images: config.images,
      views: config.views,
      topK,
    }),
  );
  const records = new Uint8Array(config.images * config.views * codec.bytes);
  for (let i = 0; i < config.images * config.views; i++) {
    const view = views.viewOf(Math.floor(i / config.views), i % config.views);
    codec.encode(records, i * codec.bytes, view, answers, i * CLASSES);
  }
  const at = (image: number, view: number) => (image * config.views + view) * codec.bytes;
  const knowledge: TrainingKnowledge = {
    views: config.views,
    classes: CLASSES,
    viewOf: (image, view) => codec.viewAt(records, at(image, view)),
    restore: (image, view, temperature, out, to) => codec.restore(records, at(image, view), out, to, temperature),
  };
  return { name: `stored, K = ${topK}, ${codec.bytes} bytes`, knowledge };
}

/** Trains, from the checkpoint where there is one, and measures on the test images. */
async function pointsAfter(name: string, knowledge: TrainingKnowledge, seed: number) {
  const run = { ...loadConfig(distillerConfig).config!, size: 's' as const, seed, epochs, images, precision };
  const network = networkSpec(run);
  const data = { ...training, rgb: training.images, count: images };
  const folder = path.join(config.work, `${name}, seed ${seed}`.replace(/[^a-z0-9]+/gi, '-'));
  await mkdir(folder, { recursive: true });
  const file = new CheckpointFile(folder, run);
  const resume = (await file.read())?.optimizer;
  const trainer = new Trainer(loadTensorFlow(), run, network, data, { knowledge, resume });
  if (resume) process.stderr.write(`going on from step ${trainer.step} of ${trainer.steps}\n`);
  const progress = new TrainingProgress(`${name}, seed ${seed}`, trainer.steps, 'steps', trainer.step);
  while (trainer.step < trainer.steps) {
    trainer.advance();
    progress.at(trainer.step);
    if (trainer.step % trainer.stepsPerEpoch === 0) await file.write({ optimizer: trainer.state(), seconds: 0 });
  }
  const points = await measuredWeights(trainer.average(), network, test, POINTS);
  await rm(folder, { recursive: true });
  return points;
}
