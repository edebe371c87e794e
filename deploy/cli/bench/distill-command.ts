import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { TEACHER_FORMS } from '../../../services/teacher/spec.js';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { SHIPPED_KNOWLEDGE } from '../knowledge-options.js';
import { ProgressLine } from '../progress-line.js';
import { formatTable } from '../table.js';
import { benchDistill, type DistillBench, type Way } from './distill-bench.js';

const definition = defineConfig({
  name: 'bench-distill',
  usage: 'semlink bench distill',
  description:
    'How fast training from stored knowledge is, beside training on labels, with a teacher in the loop, and in Python TensorFlow: real training steps, taking turns.',
  fields: {
    size: option(z.enum(['s', 'm', 'l']).default('m'), { description: 'Size of the codec that is trained.' }),
    batchSize: option(z.int().min(8).max(4096).default(128), { description: 'Images a step.' }),
    precision: option(z.enum(['float32', 'bfloat16']).default('float32'), {
      description: 'Number format in which convolutions multiply, ours and those in Python; the teacher is float32.',
    }),
    images: option(z.int().min(500).max(45_000).default(45_000), { description: 'Training images of CIFAR-10 used.' }),
    knowledge: option(z.string().min(1).default(SHIPPED_KNOWLEDGE), {
      description: 'Stored knowledge that is trained from.',
      placeholder: 'FOLDER|URL',
    }),
    teacher: option(z.string().min(1).optional(), {
      description: `The teacher in the loop: ${TEACHER_FORMS}; none: one with random weights is made.`,
      placeholder: 'SPEC',
    }),
    gflop: option(z.number().min(0.001).max(100).default(1.1), {
      description: 'What an image costs the teacher that is made; a multiply and an add count two.',
      unit: 'GFLOP',
    }),
    python: option(z.string().min(1).optional(), {
      description: 'Python interpreter with the packages of test/bench/requirements.txt; none: no comparison with it.',
      placeholder: 'PATH',
    }),
    rounds: option(z.int().min(1).max(1000).default(7), { description: 'Measurements of each; the median counts.' }),
    steps: option(z.int().min(1).max(10_000).default(20), { description: 'Training steps of a measurement.' }),
    teacherSteps: option(z.int().min(1).max(10_000).default(2), {
      description: 'Likewise with the teacher in the loop.',
    }),
    threads: option(z.int().min(1).max(256).default(1), { description: 'Threads of each TensorFlow and the teacher.' }),
    seed: option(
      z
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .default(1),
      { description: 'Seed of the training runs and of the teacher that is made.' },
    ),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});

/** Exit status of a command that was stopped by a signal, as a shell has it. */
const STOPPED = 130;

const NAMES: Record<Way, string> = {
  labels: 'on labels',
  cached: 'from stored knowledge',
  teacher_in_loop: 'teacher in the loop',
  python_tensorflow: 'on labels, Python TensorFlow',
};

/** `semlink bench distill` */
export async function benchDistillation(argv: readonly string[]): Promise<number> {
  const { config } = loadConfigOrExit(definition, argv);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const progress = new ProgressLine(process.stderr);
  let results: DistillBench;
  try {
    results = await benchDistill({
      ...config,
      teacher: config.teacher,
      python: config.python,
      onProgress: (text, share) => progress.update(text, share),
      stop: stop.signal,
    });
  } catch (error) {
    if (stop.signal.aborted) return STOPPED;
    throw error;
  } finally {
    progress.clear();
  }
  if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(textOf(results));
  return 0;
}

function textOf(results: DistillBench): string {
  const ways = Object.keys(results.images_per_second) as Way[];
  const rates = formatTable(
    ['training', 'images/s', 'images/s of processor'],
    ways.map((way) => [
      NAMES[way],
      results.images_per_second[way]!.toFixed(1),
      results.images_per_processor_second[way]!.toFixed(1),
    ]),
  );
  const { by_processor_time: processor, bytes_per_view: bytes, teacher } = results;
  const compared = [
    ['stored knowledge : labels', results.cached_over_labels, processor.cached_over_labels],
    [
      'stored knowledge : teacher in the loop',
      results.cached_over_teacher_in_loop,
      processor.cached_over_teacher_in_loop,
    ],
    ['ours : Python TensorFlow', results.tfjs_over_python_tensorflow, processor.tfjs_over_python_tensorflow],
  ] as const;
  const ratios = formatTable(
    ['ratio', 'by the clock', 'by processor time'],
    compared.flatMap(([name, clock, other]) =>
      clock === undefined || other === undefined ? [] : [[name, clock.toFixed(3), other.toFixed(3)]],
    ),
  );
  const cost = teacher.gflop === null ? '' : `, ${teacher.gflop.toFixed(2)} GFLOP an image`;
  return [
    rates,
    ratios,
    `Teacher ${teacher.name}${cost}. Knowledge: ${bytes.stored.toFixed(2)} bytes a view, whole distributions ${bytes.dense}.\n`,
  ].join('\n');
}
