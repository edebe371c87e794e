import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../../shared/build/compiled.js';
import { openModels, type PublishedModel, SHIPPED_MODELS } from '../../../shared/codec/model-folder.js';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';
import { firstImages } from '../published-pair.js';
import type { ReportData } from '../report/data.js';
import { figuresOf } from '../report/figures.js';
import { machineClass } from '../report/latency.js';
import { baselinesOver, comparisons, type Grid, type MeasuredModel, measureModel } from '../report/measure.js';
import { page } from '../report/page.js';
import { plot } from '../report/plot.js';
import { readRecorded } from '../report/recorded.js';

const definition = defineConfig({
  name: 'report',
  usage: 'semlink report',
  description:
    'Measures published models over SNR, length and channel, sets them beside baselines, bounds and published points, and writes one self-contained HTML page, its plots as SVG and all its numbers as JSON.',
  fields: {
    out: option(z.string().default('report'), {
      description: 'Folder for report.html, report.json and plots/*.svg.',
      placeholder: 'FOLDER',
    }),
    models: option(z.string().default(SHIPPED_MODELS), {
      description: 'Folder of published models.',
      placeholder: 'FOLDER',
    }),
    model: option(z.array(z.string()).default([]), { description: 'Versions to report; none: all of the folder.' }),
    results: option(z.string().default(path.join(projectRoot, 'test', 'baselines', 'results')), {
      description: 'Folder of recorded results: pixels.json, ablations.json, data-axis.json, each where there.',
      placeholder: 'FOLDER',
    }),
    channel: option(
      z
        .array(z.enum(['awgn', 'rayleigh-block']))
        .min(1)
        .default(['awgn', 'rayleigh-block']),
      {
        description: 'Channel models; block Rayleigh has one gain an image.',
      },
    ),
    snrDb: option(
      z.array(z.number().min(-40).max(60)).min(1).default([-10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
      { description: 'Average Es/N0 of the points.', unit: 'dB', alias: 'snr' },
    ),
    k: option(z.array(z.int().min(1)).default([]), {
      description: 'Message lengths; none: all that a model has.',
      unit: 'channel uses',
    }),
    split: option(z.enum(['test', 'holdout', 'train']).default('test'), { description: 'CIFAR-10 images.' }),
    images: option(z.int().min(1).optional(), { description: 'At most so many images; default: all of the split.' }),
    seed: option(z.array(z.int().min(0)).min(1).default([1, 2, 3]), {
      description: 'Seeds of the channels; results are means over them.',
    }),
    latencyCalls: option(z.int().min(0).max(100_000).default(500), {
      description: 'Calls that are timed for each model, part and batch; 0: none.',
    }),
  },
});

export const report: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const recorded = await readRecorded(config.results);
    const chosen = choose(await openModels(config.models), config.model, config.models);
    const images = await firstImages(config.split, config.images);
    const grid: Grid = { channels: config.channel, snrDb: config.snrDb, k: config.k, seeds: config.seed };
    const progress = new ProgressLine(process.stderr);
    const measured: MeasuredModel[] = [];
    const start = performance.now();
    for (const model of chosen) {
      const { version } = model.manifest;
      measured.push(
        await measureModel(model, images, grid, config.latencyCalls, (part) => {
          const share = (measured.length + part) / chosen.length;
          const left = ((performance.now() - start) / 1e3) * (1 / Math.max(share, 1e-3) - 1);
          progress.update(`${version}  ${(100 * part).toFixed(0)} %  ${left.toFixed(0)} s left`, share);
        }),
      );
    }
    progress.update('baselines and bounds', 1);
    // The strongest by what was seen on held-out images, when it was published.
    const best = chosen.map((model, i) => ({ model, i })).sort((a, b) => heldOut(b.model) - heldOut(a.model))[0]!;
    const onDevice = measured[best.i]!.facts.on_device_accuracy;
    const lengths = [...new Set(measured.flatMap(({ average }) => average.map((p) => p.k)))].sort((a, b) => a - b);
    const data: Omit<ReportData, 'figures'> = {
      format: 'semlink-report/1',
      images: images.count,
      split: config.split,
      seeds: config.seed,
      machine: machineClass(),
      models: measured.map(({ facts }) => facts),
      label_classifier: { model: best.model.manifest.version, accuracy: onDevice },
      results: measured.flatMap(({ average, peak }) => [...average, ...peak]),
      baselines: baselinesOver(grid, lengths, best.model.manifest.network.classes, onDevice),
      published: comparisons(measured),
      recorded,
    };
    progress.clear();
    await write(path.resolve(config.out), { ...data, figures: figuresOf(data) });
    process.stdout.write(`${path.join(config.out, 'report.html')}\n`);
    return 0;
  },
};

function choose(models: Map<string, PublishedModel>, names: string[], folder: string): PublishedModel[] {
  const missing = names.find((name) => !models.has(name));
  if (missing) throw new Error(`no model "${missing}" in ${folder}; there are ${[...models.keys()].join(', ')}`);
  return names.length > 0 ? names.map((name) => models.get(name)!) : [...models.values()];
}

/** Greatest accuracy of a model's calibration, measured on held-out images. */
function heldOut({ manifest }: PublishedModel): number {
  return Math.max(...Object.values(manifest.calibration.accuracy).flat(2));
}

async function write(folder: string, data: ReportData): Promise<void> {
  await mkdir(path.join(folder, 'plots'), { recursive: true });
  await writeFile(path.join(folder, 'report.json'), `${JSON.stringify(data, null, 1)}\n`);
  await writeFile(path.join(folder, 'report.html'), page(data));
  for (const figure of data.figures) {
    await writeFile(path.join(folder, 'plots', `${figure.id}.svg`), `${plot(figure, true)}\n`);
  }
}
