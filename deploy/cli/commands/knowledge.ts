import path from 'node:path';
import { z } from 'zod';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import type { KnowledgeDescription } from '../../../shared/gen/semlink/v1/knowledge_pb.js';
import { exportKnowledge } from '../../../shared/knowledge/export.js';
import { KnowledgeSet } from '../../../shared/knowledge/knowledge-set.js';
import { setSize } from '../../../shared/knowledge/set-size.js';
import { openStore } from '../../../shared/knowledge/store.js';
import { verifyKnowledge } from '../../../shared/knowledge/verify.js';
import { type Action, commandOf } from '../actions.js';
import { storeFields } from '../knowledge-options.js';
import { ProgressLine } from '../progress-line.js';

const FALLBACK = 'shared/knowledge/cifar10';
const WHERE = 'Where the set is stored.';

const describeDefinition = defineConfig({
  name: 'knowledge-describe',
  usage: 'semlink knowledge describe',
  description: 'What a stored set holds: data set, teacher, views, record, shards.',
  fields: storeFields(FALLBACK, WHERE),
});

const verifyDefinition = defineConfig({
  name: 'knowledge-verify',
  usage: 'semlink knowledge verify',
  description: 'Reads all of a stored set through and names every fault; exit status 1 when there is one.',
  fields: storeFields(FALLBACK, WHERE),
});

const exportDefinition = defineConfig({
  name: 'knowledge-export',
  usage: 'semlink knowledge export',
  description: 'Writes the records of a stored set to a file of another format, a row each.',
  fields: {
    ...storeFields(FALLBACK, WHERE),
    out: option(z.string().regex(/\.(jsonl|parquet)$/, 'end it in .jsonl or .parquet'), {
      description: 'File to write: JSON lines or Parquet, by its ending.',
      placeholder: 'FILE.jsonl|FILE.parquet',
      range: 'a path that ends in .jsonl or .parquet',
    }),
    firstImage: option(z.int().min(0).default(0), { description: 'First image.' }),
    images: option(z.int().min(0).default(0), { description: 'Images from there on; 0: all.' }),
  },
});

const ACTIONS: Record<string, Action> = {
  describe: {
    summary: 'What a set holds.',
    async run(argv) {
      const { config } = loadConfigOrExit(describeDefinition, argv);
      const store = await openStore(config.store, config.s3);
      const set = await KnowledgeSet.open(store);
      process.stdout.write(descriptionText(set.description, store.url));
      const { bytes, bytesPerView, denseBytesPerView } = await setSize(store, set);
      process.stdout.write(
        `shards        ${set.manifest.shards.length}, ${bytes} bytes, ${bytesPerView.toFixed(2)} bytes a view with everything; ` +
          `whole distributions as float32 would take ${denseBytesPerView}\n`,
      );
      return 0;
    },
  },

  verify: {
    summary: 'Reads all of it through and names every fault.',
    async run(argv) {
      const { config } = loadConfigOrExit(verifyDefinition, argv);
      const store = await openStore(config.store, config.s3);
      const progress = new ProgressLine(process.stderr);
      const { shards, records, faults } = await verifyKnowledge(store, (done, total) =>
        progress.update(`${done}/${total} shards`, done / total),
      );
      progress.clear();
      for (const fault of faults) process.stderr.write(`${fault.kind}: ${fault.message}\n`);
      process.stdout.write(
        `${store.url}: ${shards} shards with ${records} records are sound, ${faults.length} faults\n`,
      );
      return faults.length > 0 ? 1 : 0;
    },
  },

  export: {
    summary: 'Writes its records as JSON lines or Parquet.',
    async run(argv) {
      const { config } = loadConfigOrExit(exportDefinition, argv);
      const set = await KnowledgeSet.open(await openStore(config.store, config.s3));
      const progress = new ProgressLine(process.stderr);
      const file = path.resolve(config.out);
      const { firstImage, images } = config;
      const due = (images || set.description.images - firstImage) * set.description.views;
      const format = file.endsWith('.parquet') ? 'parquet' : 'jsonl';
      const rows = await exportKnowledge(set, file, format, { firstImage, images }, (done) =>
        progress.update(`${done}/${due} records`, done / due),
      );
      progress.clear();
      process.stdout.write(`${file}: ${rows} records\n`);
      return 0;
    },
  },
};

export const knowledge = commandOf('knowledge', 'Looks after stored knowledge.', ACTIONS);

function descriptionText(d: KnowledgeDescription, url: string): string {
  const { dataSet, teacher, augmentation } = d;
  const feature = d.featureSize > 0 ? `, ${d.featureSize} values of the projected feature` : '';
  const blends = augmentation!.blendShare > 0 ? `, ${augmentation!.blendShare} of them blended` : '';
  return `${[
    `store         ${url}`,
    `data set      ${dataSet!.name}, ${dataSet!.images} images ${dataSet!.width} x ${dataSet!.height}, ${dataSet!.classes} classes, sha256 ${dataSet!.sha256}`,
    `teacher       ${teacher!.name}, sha256 ${teacher!.sha256}`,
    `augmentation  ${augmentation!.name} ${augmentation!.version}, seed ${augmentation!.seed}, shift ${augmentation!.shift}${blends}, sha256 ${augmentation!.sha256}`,
    `records       ${d.images} images x ${d.views} views = ${d.images * d.views}`,
    `record        ${d.recordBytes} bytes: view, top ${d.topK} of ${dataSet!.classes}${feature}`,
  ].join('\n')}\n`;
}
