/**
 * What each part of the method is worth: trains size S again and again with one part changed, all with the same number of
 * steps, and evaluates every run on the test images. Runs that are there already are not trained again.
 *
 *   node dist/test/baselines/ablations.js --help
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { runDistiller } from '../../deploy/cli/commands/distiller-process.js';
import { SHIPPED_KNOWLEDGE } from '../../deploy/cli/knowledge-options.js';
import { publishedPair } from '../../deploy/cli/published-pair.js';
import { openModels, type PublishedModel } from '../../shared/codec/model-folder.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { gridPoints, measuredPoints, SNR_DB } from './run-result.js';

const definition = defineConfig({
  name: 'ablations',
  description: 'Trains and evaluates size S with one part of the method changed at a time.',
  fields: {
    epochs: option(z.int().min(1).default(8), {
      description: 'Passes over all 45,000 images that every run gets; a run on fewer images makes more passes.',
    }),
    work: option(z.string().default('.training/ablations'), {
      description: 'Folder of the runs.',
      placeholder: 'FOLDER',
    }),
    results: option(z.string().default('test/baselines/results'), {
      description: 'Folder for ablations.json and data-axis.json.',
      placeholder: 'FOLDER',
    }),
    only: option(z.array(z.string()).default([]), { description: 'Names of the runs to make; none: all.' }),
    precision: option(z.enum(['float32', 'bfloat16']).default('float32'), {
      description: 'Passed on to the distiller.',
    }),
  },
});

interface Run {
  name: string;
  /** What is changed, in words. */
  what: string;
  from: 'teacher' | 'labels';
  options?: readonly string[];
  images?: number;
  seed?: number;
  /** Evaluated at this SNR alone. */
  snrDb?: number;
  axis?: true;
}

/** The two curves over the number of training images. */
const AXIS = { teacher: 'distilled', labels: 'labels alone' };

const ALL = 45_000;
const GROUPS = ['--group-size', '16'];

const RUNS: readonly Run[] = [
  { name: 'full', what: 'all parts', from: 'teacher' },
  { name: 'labels', what: 'no distillation: labels alone', from: 'labels' },
  { name: 'unadapted', what: 'no channel adaptive module', from: 'teacher', options: ['--without-adaptation'] },
  { name: 'groups', what: 'no bottleneck term, groups of 16', from: 'teacher', options: GROUPS },
  ...['0.001', '0.003'].map(
    (beta): Run => ({
      name: `bottleneck-${beta}`,
      what: `bottleneck term, beta ${beta}, groups of 16`,
      from: 'teacher',
      options: [...GROUPS, '--bottleneck', beta],
    }),
  ),
  ...[-10, 0, 10].map(
    (snrDb): Run => ({
      name: `snr${snrDb}`,
      what: `one model for ${snrDb} dB`,
      from: 'teacher',
      options: [`--snr-low-db=${snrDb}`, `--snr-high-db=${snrDb}`],
      snrDb,
    }),
  ),
  ...[5, 10, 25, 50].flatMap((percent) =>
    (['teacher', 'labels'] as const).map(
      (from): Run => ({
        name: `${from}-${percent}`,
        what: AXIS[from],
        from,
        images: (ALL * percent) / 100,
        axis: true,
      }),
    ),
  ),
  ...[2, 3].flatMap((seed): Run[] => [
    { name: `full-seed${seed}`, what: 'all parts', from: 'teacher', seed },
    { name: `labels-seed${seed}`, what: 'no distillation: labels alone', from: 'labels', seed },
  ]),
];

const { config } = loadConfigOrExit(definition, process.argv.slice(2));
const models = path.join(config.work, 'models');
const test = await loadCifar10('test');
for (const run of RUNS.filter(({ name }) => config.only.length === 0 || config.only.includes(name))) {
  if (!(await published(run))) await distil(run);
}
const results: { run: Run; result: Record<string, unknown> }[] = [];
for (const run of RUNS) {
  const model = await published(run);
  if (!model) continue;
  const { images, epochs, seed } = model.manifest.training;
  results.push({
    run,
    result: { run: run.name, size: 's', epochs, images, seed, what: run.what, points: await evaluate(run, model) },
  });
}
const write = async (file: string, chosen: typeof results) => {
  const made_by = `node dist/test/baselines/ablations.js --epochs ${config.epochs} --precision ${config.precision}`;
  const text = JSON.stringify({ made_by, results: chosen.map(({ result }) => result) }, null, 1);
  await writeFile(path.join(config.results, file), `${text}\n`);
};
await write(
  'ablations.json',
  results.filter(({ run }) => !run.axis),
);
await write(
  'data-axis.json',
  results
    .filter(({ run }) => run.axis || run.name === 'full' || run.name === 'labels')
    .map(({ run, result }) => ({ run, result: { ...result, what: AXIS[run.from] } })),
);

async function published(run: Run): Promise<PublishedModel | undefined> {
  return (await openModels(models).catch(() => undefined))?.get(run.name);
}

async function distil({ name, from, options = [], images = ALL, seed = 1 }: Run): Promise<void> {
  const epochs = Math.round((config.epochs * ALL) / images);
  const args = [
    ...['--name', name, '--size', 's', '--seed', `${seed}`, '--images', `${images}`, '--epochs', `${epochs}`],
    ...['--look-epochs', `${epochs}`, '--calibration-images', '500', '--precision', config.precision],
    ...['--models', models, '--work', config.work, ...options],
    ...(from === 'teacher' ? ['--knowledge', SHIPPED_KNOWLEDGE] : []),
  ];
  process.stdout.write(`== ${name}\n`);
  const code = await runDistiller(args);
  if (code !== 0) throw new Error(`the run ${name} ended with status ${code}`);
}

async function evaluate(run: Run, model: PublishedModel) {
  const { channelUses } = model.manifest;
  const pair = await publishedPair(model);
  const snrs = run.snrDb === undefined ? SNR_DB : [run.snrDb];
  const points = await measuredPoints(pair, test, gridPoints(channelUses, snrs));
  pair.encoder.dispose();
  pair.decoder.dispose();
  return points;
}
