import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { channelModelNames } from '../../../shared/channel/channel-config.js';
import { kernelPaths } from '../../../shared/channel/kernel/kernel.js';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { ProgressLine } from '../progress-line.js';
import { formatTable } from '../table.js';
import { benchmarkChannel } from './channel-bench.js';

const definition = defineConfig({
  name: 'bench-channel',
  usage: 'semlink bench channel',
  description: 'Measures how many complex symbols a second one core sends over the channel models, in this process.',
  fields: {
    model: option(z.array(z.enum(channelModelNames)).min(1).default(['awgn', 'rayleigh-block', 'tdl-a']), {
      description: 'Channel models, with typical parameters; block Rayleigh has one gain for 100 symbols.',
    }),
    block: option(z.array(z.int().min(1).max(10_000_000)).min(1).default([1_000_000, 1000, 128]), {
      description: 'Symbols to a call.',
      unit: 'symbols',
    }),
    path: option(
      z
        .array(z.enum(kernelPaths))
        .min(1)
        .default([...kernelPaths]),
      {
        description: 'Code that is measured: WebAssembly SIMD or plain JavaScript. Both give the same symbols.',
      },
    ),
    rounds: option(z.int().min(1).max(1000).default(5), {
      description: 'Measurements of each case; the median counts.',
    }),
    seconds: option(z.number().min(0.001).max(60).default(0.15), {
      description: 'Processor time of one measurement.',
      unit: 's',
    }),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});

/** `semlink bench channel` */
export async function benchChannel(argv: readonly string[]): Promise<number> {
  const { config } = loadConfigOrExit(definition, argv);
  const progress = new ProgressLine(process.stderr);
  const results = benchmarkChannel({
    models: config.model,
    blocks: config.block,
    paths: config.path,
    rounds: config.rounds,
    seconds: config.seconds,
    onProgress: (done, total) => progress.update(`${done}/${total} measurements`, done / total),
  });
  progress.clear();
  if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify({ results }, null, 2)}\n`);
  process.stdout.write(
    formatTable(
      ['model', 'block', 'path', 'Msymbols/s'],
      results.map((r) => [r.model, String(r.block), r.path, r.msymbols_per_second.toFixed(2)]),
    ),
  );
  return 0;
}
