/**
 * What storing costs: trains size S on a teacher's dense 32-bit answers, as they would be with the teacher in the loop, and
 * on the same answers as stored records, with the same steps, views and seeds, and evaluates both on the test images.
 *
 *   node dist/test/baselines/dense-knowledge.js --help
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { TrainingKnowledge } from '../../services/distiller/batches.js';
import { distillerConfig } from '../../services/distiller/config.js';
import { withFrozen } from '../../services/distiller/looks.js';
import { networkSpec } from '../../services/distiller/sizes.js';
import { Trainer } from '../../services/distiller/trainer.js';
import { openTeacher } from '../../services/teacher/ensemble.js';
import { readTeacherSpec } from '../../services/teacher/spec.js';
import type { Teacher } from '../../services/teacher/teacher.js';
import { type EvaluationPoint, measureLink } from '../../shared/codec/link-evaluation.js';
import { defineConfig, loadConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { augmentation, SeededViews, writeView } from '../../shared/data/augment.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { describeKnowledge } from '../../shared/knowledge/description.js';
import { RecordCodec } from '../../shared/knowledge/record.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';

const CLASSES = 10;
const VIEW_SEED = 1;
const POINTS: Record<string, EvaluationPoint> = {
  'awgn 10 dB k=8': { channel: { model: 'awgn', snrDb: 10 }, channelUses: 8 },
  'awgn 0 dB k=16': { channel: { model: 'awgn', snrDb: 0 }, channelUses: 16 },
  'awgn -10 dB k=64': { channel: { model: 'awgn', snrDb: -10 }, channelUses: 64 },
  'rayleigh-block 10 dB k=32': {
    channel: { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 },
    channelUses: 32,
  },
};

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
const test = await loadCifar10('test');
const views = new SeededViews(VIEW_SEED);
const spec = await readTeacherSpec(config.teacher);
const teacher = await openTeacher(spec, { width: training.width, height: training.height, threads: 1 });
const answers = await teacherAnswers(teacher, spec.batch);
await teacher.close();

const kinds = [dense(), ...config.topK.map(stored)];
const results: { knowledge: string; seed: number; accuracy: Record<string, number> }[] = [];
for (const seed of config.seeds) {
  for (const { name, knowledge } of kinds) {
    const accuracy = await accuracyAfter(knowledge, seed);
    results.push({ knowledge: name, seed, accuracy });
    process.stdout.write(`${name} seed ${seed} ${JSON.stringify(accuracy)}\n`);
    await write();
  }
}

async function write(): Promise<void> {
  const { views, epochs, images, precision } = config;
  const command = `node dist/test/baselines/dense-knowledge.js --teacher FILE --views ${views} --epochs ${epochs} --precision ${precision}`;
  const text = { made_by: command, size: 's', teacher: teacher.name, images, views, epochs, results };
  await writeFile(config.json, `${JSON.stringify(text, null, 1)}\n`);
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
  const start = performance.now();
  for (let first = 0; first < images * count; first += batch) {
    const now = Math.min(batch, images * count - first);
    for (let i = 0; i < now; i++) {
      const image = Math.floor((first + i) / count);
      writeView(training.images, image * size, training, views.viewOf(image, (first + i) % count), rgb, i * size);
    }
    const { probabilities } = await from.predict(rgb.subarray(0, now * size), now);
    all.set(probabilities, first * CLASSES);
    if ((first / batch) % 100 === 0) {
      const rate = (first + now) / ((performance.now() - start) / 1e3);
      process.stderr.write(`${from.name}: ${first + now} of ${images * count} views, ${Math.round(rate)}/s\n`);
    }
  }
  await writeFile(file, new Uint8Array(all.buffer));
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

/** Accuracy on the test images, 0 to 1, by point. */
async function accuracyAfter(knowledge: TrainingKnowledge, seed: number): Promise<Record<string, number>> {
  const { epochs, images, precision } = config;
  const run = { ...loadConfig(distillerConfig).config!, size: 's' as const, seed, epochs, images, precision };
  const network = networkSpec(run);
  const data = { ...training, rgb: training.images, count: images };
  const trainer = new Trainer(loadTensorFlow(), run, network, data, { knowledge });
  while (trainer.step < trainer.steps) trainer.advance();
  const measured = await withFrozen(trainer.average(), network, (pair) =>
    measureLink({ ...pair, network }, test, Object.values(POINTS), { seed: 1 }),
  );
  return Object.fromEntries(Object.keys(POINTS).map((name, i) => [name, measured[i]!.accuracy]));
}
