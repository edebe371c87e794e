import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { formatTable } from '../table.js';
import { benchKnowledge } from './knowledge-bench.js';

const definition = defineConfig({
  name: 'bench-knowledge',
  usage: 'semlink bench knowledge',
  description: 'How fast stored knowledge is read, from files and from a teacher-cache, and how large it is.',
  fields: {
    images: option(z.int().min(1000).max(10_000_000).default(100_000), {
      description: 'Images of the set that is read.',
    }),
    views: option(z.int().min(1).max(1000).default(10), { description: 'Views of each.' }),
    runs: option(z.int().min(1).max(100).default(3), { description: 'Runs of each kind; the fastest counts.' }),
    json: option(z.string().optional(), { description: 'Also write the results to this file.', placeholder: 'FILE' }),
  },
});

/** `semlink bench knowledge` */
export async function benchStoredKnowledge(argv: readonly string[]): Promise<number> {
  const { config } = loadConfigOrExit(definition, argv);
  const results = await benchKnowledge(config.images, config.views, config.runs);
  if (config.json) await writeFile(path.resolve(config.json), `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(
    formatTable(
      ['measure', 'value'],
      Object.entries(results).map(([name, value]) => [name, value.toLocaleString('en')]),
    ),
  );
  return 0;
}
