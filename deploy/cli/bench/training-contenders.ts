import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LabelledImages } from '../../../services/distiller/batches.js';
import type { DistillerConfig } from '../../../services/distiller/config.js';
import { networkSpec } from '../../../services/distiller/sizes.js';
import { loadKnowledge } from '../../../services/distiller/stored-knowledge.js';
import { Trainer } from '../../../services/distiller/trainer.js';
import { openTeacher } from '../../../services/teacher/ensemble.js';
import { readTeacherSpec } from '../../../services/teacher/spec.js';
import type { Cifar10Images } from '../../../shared/data/cifar10.js';
import { loadTensorFlow } from '../../../shared/tensor/native.js';
import { generatedTeacher } from './generated-teacher.js';
import { networkProgram } from './network-program.js';
import { type PythonReady, PythonTraining } from './python-training.js';
import { TeacherInLoop } from './teacher-in-loop.js';

/** What some training steps took. */
export interface TrainingTime {
  readonly seconds: number;
  /** Of all threads of the process that trains. */
  readonly processorSeconds: number;
}

/** One way to train. */
export interface Contender {
  /** Takes training steps. */
  advance(steps: number): Promise<TrainingTime>;
  close(): Promise<void>;
}

/** Training on labels, or on stored knowledge, as `semlink train` and `semlink distill` do. */
export async function storedContender(
  config: DistillerConfig,
  training: Cifar10Images,
  knowledgeUrl?: string,
): Promise<Contender & { parameters: number }> {
  const knowledge = knowledgeUrl === undefined ? undefined : await loadKnowledge(knowledgeUrl, training, config.images);
  const trainer = new Trainer(loadTensorFlow(), config, networkSpec(config), imagesOf(config, training), { knowledge });
  return {
    parameters: trainer.state().weights.length,
    advance: (steps) => timed(steps, async () => void trainer.advance()),
    close: async () => trainer.dispose(),
  };
}

/** The teacher that a bench runs in the loop. */
export interface TeacherInUse {
  readonly name: string;
  /** Of an image; undefined where only its owner knows. */
  readonly gflop: number | undefined;
}

/**
 * Training with the teacher in the loop.
 *
 * @param asked what `--teacher` names; undefined: one of `gflop` is made, with random weights
 * @param folder takes the file of the one that is made
 */
export async function teacherContender(
  config: DistillerConfig,
  training: Cifar10Images,
  { asked, gflop, folder }: { asked: string | undefined; gflop: number; folder: string },
): Promise<Contender & { teacher: TeacherInUse }> {
  const images = imagesOf(config, training);
  const { classes } = networkSpec(config);
  let file = asked;
  let made: number | undefined;
  if (file === undefined) {
    const generated = generatedTeacher(gflop, classes, config.seed);
    made = generated.gflop;
    file = path.join(folder, `random-resnet18-${generated.channels}.onnx`);
    await writeFile(file, generated.onnx);
  }
  const spec = await readTeacherSpec(file);
  const teacher = await openTeacher(spec, { width: images.width, height: images.height, threads: config.threads });
  if (teacher.classes !== classes) {
    await teacher.close();
    throw new Error(`${spec.name} knows ${teacher.classes} classes, the images are of ${classes}`);
  }
  const loop = new TeacherInLoop(images, teacher, {
    batchSize: config.batchSize,
    mostOfACall: asked === undefined ? config.batchSize : spec.batch,
    seed: config.seed,
  });
  const trainer = new Trainer(loadTensorFlow(), config, networkSpec(config), loop.images, { knowledge: loop });
  return {
    teacher: { name: spec.name, gflop: made },
    advance: (steps) =>
      timed(steps, async () => {
        await loop.next();
        trainer.advance();
      }),
    close: async () => {
      trainer.dispose();
      await teacher.close();
    },
  };
}

/** Training on labels in Python TensorFlow; `parameters` is how many the network must have. */
export async function pythonContender(
  config: DistillerConfig,
  training: Cifar10Images,
  { python, parameters, folder }: { python: string; parameters: number; folder: string },
): Promise<Contender & { ready: PythonReady }> {
  const { rgb, labels, count, width, height } = imagesOf(config, training);
  const data = path.join(folder, 'images');
  const imageBytes = width * height * 3;
  await writeFile(data, [rgb.subarray(0, count * imageBytes), labels.subarray(0, count)]);
  const spec = networkSpec(config);
  const process = await PythonTraining.start(python, {
    program: networkProgram(spec),
    training: config,
    learning_rate: config.learningRate,
    data,
    images: count,
    image_bytes: imageBytes,
    width,
    height,
  });
  if (process.ready.parameters !== parameters) {
    await process.stop();
    throw new Error(
      `the Python script built a network of ${process.ready.parameters} parameters, ours has ${parameters}: they cannot be compared`,
    );
  }
  return {
    ready: process.ready,
    advance: async (steps) => {
      const { seconds, processor_seconds, task } = await process.advance(steps);
      if (!Number.isFinite(task)) throw new Error(`training in Python gave a loss of ${task}; try another --seed`);
      return { seconds, processorSeconds: processor_seconds };
    },
    close: () => process.stop(),
  };
}

function imagesOf(config: DistillerConfig, training: Cifar10Images): LabelledImages {
  return { ...training, rgb: training.images, count: config.images };
}

async function timed(steps: number, step: () => Promise<void>): Promise<TrainingTime> {
  const processor = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < steps; i++) await step();
  const seconds = (performance.now() - start) / 1e3;
  const { user, system } = process.cpuUsage(processor);
  return { seconds, processorSeconds: (user + system) / 1e6 };
}
