/**
 * What each part of the method is worth: trains size S again and again with one part changed, all with the same number of
 * steps, and evaluates every run on the test images. Runs that are there already are not trained again.
 *
 *   node dist/test/baselines/ablations.js --help
 */
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { runDistiller } from '../../deploy/cli/commands/distiller-process.js';
import { SHIPPED_KNOWLEDGE } from '../../deploy/cli/knowledge-options.js';
import { publishedPair } from '../../deploy/cli/published-pair.js';
import { openModels, type PublishedModel } from '../../shared/codec/model-folder.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { readResults } from './earlier-results.js';
import { gridPoints, measuredPoints, type RunResult, SNR_DB } from './run-result.js';

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
    blends: option(z.string().optional(), {
      description:
        'Folder of sets of knowledge with blends, each named by the number of its training images (4500, 45000): runs that learn from them, beside those on the plain views.',
      placeholder: 'FOLDER',
    }),
    only: option(z.array(z.string()).default([]), { description: 'Names of the runs to make; none: all.' }),
    precision: option(z.enum(['float32', 'bfloat16']).default('float32'), {
      description: 'Passed on to the distiller.',
    }),
  },
});

type Source = 'teacher' | 'blends' | 'labels';

interface Run {
  name: string;
  /** What is changed, in words. */
  what: string;
  from: Source;
  options?: readonly string[];
  images?: number;
  seed?: number;
  /** Evaluated at this SNR alone. */
  snrDb?: number;
  axis?: true;
}

/** The curves over the number of training images. */
const AXIS: Record<Source, string> = {
  teacher: 'distilled',
  blends: 'distilled, blended views',
  labels: 'labels alone',
};

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
const sets = config.blends === undefined ? [] : await readdir(config.blends);
const runs: readonly Run[] = [
  ...RUNS,
  ...sets.map(
    (images): Run => ({
      name: `blends-${images}`,
      what: AXIS.blends,
      from: 'blends',
      images: Number(images),
      axis: true,
    }),
  ),
];
const models = path.join(config.work, 'models');
const test = await loadCifar10('test');
for (const run of runs.filter(({ name }) => config.only.length === 0 || config.only.includes(name))) {
  if (!(await published(run))) await distil(run);
}
const results: { run: Run; result: RunResult }[] = [];
for (const run of runs) {
  const model = await published(run);
  if (!model) continue;
  const { images, epochs, seed } = model.manifest.training;
  results.push({
    run,
    result: { run: run.name, size: 's', epochs, images, seed, what: run.what, points: await evaluate(run, model) },
  });
}
await write(
  'ablations.json',
  ({ axis }) => !axis,
  ({ what }) => what,
);
await write(
  'data-axis.json',
  ({ axis, name }) => axis || name === 'full' || name === 'labels',
  ({ from }) => AXIS[from],
);

/** Writes the chosen runs, beside those of an earlier sitting whose models are no longer here. */
async function write(file: string, chosen: (run: Run) => unknown, whatOf: (run: Run) => string): Promise<void> {
  const to = path.join(config.results, file);
  const header = {
    made_by: `node dist/test/baselines/ablations.js --epochs ${config.epochs} --precision ${config.precision}`,
  };
  const earlier = await readResults(to, header);
  const made = results.filter(({ run }) => chosen(run)).map(({ run, result }) => ({ ...result, what: whatOf(run) }));
  const kept = earlier.filter(({ run }) => !made.some((result) => result.run === run));
  await writeFile(to, `${JSON.stringify({ ...header, results: [...kept, ...made] }, null, 1)}\n`);
}

async function published(run: Run): Promise<PublishedModel | undefined> {
  return (await openModels(models).catch(() => undefined))?.get(run.name);
}

async function distil({ name, from, options = [], images = ALL, seed = 1 }: Run): Promise<void> {
  const epochs = Math.round((config.epochs * ALL) / images);
  const args = [
    ...['--name', name, '--size', 's', '--seed', `${seed}`, '--images', `${images}`, '--epochs', `${epochs}`],
    ...['--look-epochs', `${epochs}`, '--calibration-images', '500', '--precision', config.precision],
    ...['--models', models, '--work', config.work, ...options],
    ...knowledgeOf(from, images),
  ];
  process.stdout.write(`== ${name}\n`);
  const code = await runDistiller(args);
  if (code !== 0) throw new Error(`the run ${name} ended with status ${code}`);
}

function knowledgeOf(from: Source, images: number): string[] {
  if (from === 'labels') return [];
  return ['--knowledge', from === 'teacher' ? SHIPPED_KNOWLEDGE : path.join(config.blends!, `${images}`)];
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
