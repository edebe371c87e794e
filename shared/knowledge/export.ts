import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { viewsOf } from './description.js';
import type { KnowledgeSet } from './knowledge-set.js';
import type { RecordSelection } from './order.js';
import { type RecordBatch, streamRecords } from './record-stream.js';

export type ExportFormat = 'jsonl' | 'parquet';

/** Rows of a Parquet row group, and of what is in memory at a time. */
const ROWS = 20_000;

/** One record as others see it. */
interface ExportRow {
  image: number;
  view: number;
  row_shift: number;
  column_shift: number;
  flip: boolean;
  /** Of sets with blends: the other image, -1 where none shines through, and the share of the own one. */
  other_image?: number;
  own_share?: number;
  classes: number[];
  probabilities: number[];
  rest_per_class: number;
  feature?: number[];
}

/**
 * Writes records to a file of another format, a row each: image, view, how the view was made, the K classes and
 * probabilities, the probability of every other class, and the feature where there is one. The file appears when it is
 * complete.
 *
 * @throws KnowledgeFault where something is faulty; Error when the file cannot be written
 */
export async function exportKnowledge(
  set: KnowledgeSet,
  file: string,
  format: ExportFormat,
  selection: RecordSelection = {},
  onRows: (done: number) => void = () => {},
): Promise<number> {
  const unfinished = `${file}.unfinished`;
  try {
    const write = format === 'jsonl' ? writeJsonLines : writeParquet;
    const rows = await write(set, unfinished, streamRecords(set, { ...selection, batch: ROWS }), onRows);
    await rename(unfinished, file);
    return rows;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

type Writer = (
  set: KnowledgeSet,
  file: string,
  batches: AsyncIterable<RecordBatch>,
  onRows: (done: number) => void,
) => Promise<number>;

function* rowsOf(set: KnowledgeSet, { count, ids, firstId, records }: RecordBatch): Generator<ExportRow, void> {
  const { views, recordBytes } = set.description;
  const seeded = hasBlends(set) ? viewsOf(set.description) : undefined;
  for (let i = 0; i < count; i++) {
    const id = ids ? ids[i]! : firstId + i;
    const record = set.codec.decode(records, i * recordBytes);
    const [image, view] = [Math.floor(id / views), id % views];
    const blend = seeded?.viewOf(image, view).blend;
    yield {
      image,
      view,
      row_shift: record.view.rowShift,
      column_shift: record.view.columnShift,
      flip: record.view.flip,
      ...(seeded && { other_image: blend?.image ?? -1, own_share: blend?.share ?? 1 }),
      classes: record.classes,
      probabilities: record.probabilities,
      rest_per_class: record.restPerClass,
      ...(record.feature && { feature: [...record.feature] }),
    };
  }
}

const hasBlends = ({ description }: KnowledgeSet) => description.augmentation!.blendShare > 0;

const writeJsonLines: Writer = async (set, file, batches, onRows) => {
  const out = createWriteStream(file);
  const failed = new Promise<never>((_, reject) => out.once('error', reject));
  failed.catch(() => {});
  let rows = 0;
  for await (const batch of batches) {
    let text = '';
    for (const row of rowsOf(set, batch)) text += `${JSON.stringify(row)}\n`;
    if (!out.write(text)) await Promise.race([once(out, 'drain'), failed]);
    rows += batch.count;
    onRows(rows);
  }
  out.end();
  await Promise.race([once(out, 'finish'), failed]);
  return rows;
};

/** Columns of fixed length, so that every reader can take them: class_0, probability_0, and so on; feature_0, ... */
const writeParquet: Writer = async (set, file, batches, onRows) => {
  // Only an export needs it.
  const { fileWriter, ParquetWriter } = await import('hyparquet-writer');
  const { topK, featureSize } = set.description;
  const names = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}_${i}`);
  const [others, shares] = hasBlends(set) ? [['other_image'], ['own_share']] : [[], []];
  const integers = ['image', 'view', 'row_shift', 'column_shift', ...others, ...names('class', topK)];
  const numbers = [...shares, ...names('probability', topK), 'rest_per_class', ...names('feature', featureSize)];
  const columns = [
    ...integers.map((name) => ({ name, type: 'INT32' as const })),
    { name: 'flip', type: 'BOOLEAN' as const },
    ...numbers.map((name) => ({ name, type: 'DOUBLE' as const })),
  ];
  const writer = new ParquetWriter({
    writer: fileWriter(file),
    schema: [
      { name: 'root', num_children: columns.length },
      ...columns.map(({ name, type }) => ({ name, type, repetition_type: 'REQUIRED' as const })),
    ],
  });
  let rows = 0;
  for await (const batch of batches) {
    const all = [...rowsOf(set, batch)].map((row) => flat(row));
    await writer.write({
      columnData: columns.map(({ name, type }) => ({ name, type, data: all.map((row) => row[name]!) })),
      rowGroupSize: ROWS,
    });
    rows += batch.count;
    onRows(rows);
  }
  await writer.finish();
  return rows;
};

function flat({ classes, probabilities, feature, ...rest }: ExportRow): Record<string, number | boolean> {
  const row: Record<string, number | boolean> = { ...rest };
  for (const [name, values] of Object.entries({ class: classes, probability: probabilities, feature: feature ?? [] })) {
    for (const [i, value] of values.entries()) row[`${name}_${i}`] = value;
  }
  return row;
}
