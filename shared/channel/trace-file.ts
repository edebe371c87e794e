import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { isMissing } from '../config/index.js';
import { invalidArgument, notFound } from '../rpc/errors.js';
import { readSigmfMeta, traceOfRecording } from './sigmf-file.js';
import { checkTrace, greatestTracePoints, type Trace } from './trace.js';

/** Largest trace file that is read. */
const greatestBytes = 256 * 2 ** 20;

interface Row {
  /** Where the row is, for messages: `line 7`. */
  where: string;
  cells: Readonly<Record<string, unknown>>;
}

/**
 * Reads a trace from a file with the columns `time_s` (seconds, rising) and `snr_db`, or `time_s`, `re` and `im`:
 * - `.csv`: a line with the names of the columns, then one line a point, separated by commas;
 * - `.jsonl` (or `.ndjson`): one JSON object a line;
 * - `.parquet`: columns of numbers;
 * - `.sigmf-meta`, or `.sigmf-meta#LINK`: the gains that a link had in a recording of the channel-emulator.
 * Other columns are ignored. Empty lines and lines that start with # are skipped.
 *
 * @throws SemlinkError NOT_FOUND when there is no such file, INVALID_ARGUMENT with the line, or row, that has a hole, is
 * no number or goes back in time
 */
export async function loadTrace(file: string): Promise<Trace> {
  const [, recording, linkId] = /^(.*\.sigmf-meta)(?:#(.*))?$/.exec(file) ?? [];
  if (recording !== undefined) {
    const recorded = traceOfRecording(await readSigmfMeta(recording), linkId);
    checkTrace(recorded);
    return recorded;
  }
  const read = readers[path.extname(file).toLowerCase()];
  if (!read) throw invalidArgument('trace file', file, 'use a .csv, .jsonl, .parquet or .sigmf-meta file');
  const bytes = await contents(file);
  const trace = traceOf(await read(bytes, file), file);
  checkTrace(trace);
  return trace;
}

const readers: Readonly<Record<string, (bytes: Buffer, file: string) => Row[] | Promise<Row[]>>> = {
  '.csv': csvRows,
  '.jsonl': jsonRows,
  '.ndjson': jsonRows,
  '.parquet': parquetRows,
};

async function contents(file: string): Promise<Buffer> {
  const handle = await open(file).catch((error: unknown) => {
    if (isMissing(error)) throw notFound('trace file', file, 'there is no such file');
    throw invalidArgument('trace file', file, `it cannot be read: ${String(error)}`);
  });
  try {
    const { size } = await handle.stat();
    if (size > greatestBytes)
      throw invalidArgument('size of the trace file', size, `use at most ${greatestBytes} bytes`);
    return await readFile(handle);
  } finally {
    await handle.close();
  }
}

function* linesOf(bytes: Buffer): Generator<{ where: string; text: string }> {
  for (const [i, line] of bytes.toString('utf8').split('\n').entries()) {
    const text = line.trim();
    if (text !== '' && !text.startsWith('#')) yield { where: `line ${i + 1}`, text };
  }
}

function csvRows(bytes: Buffer, file: string): Row[] {
  const rows: Row[] = [];
  let names: string[] | undefined;
  for (const { where, text } of linesOf(bytes)) {
    const cells = text.split(',').map((cell) => cell.trim());
    if (!names) {
      names = cells;
      continue;
    }
    if (cells.length !== names.length) {
      throw invalidArgument(`${where} of ${file}`, text, `it has ${cells.length} cells of ${names.length} columns`);
    }
    rows.push({ where, cells: Object.fromEntries(names.map((name, i) => [name, numberFrom(cells[i]!)])) });
  }
  return rows;
}

function numberFrom(cell: string): number | string {
  const value = cell === '' ? Number.NaN : Number(cell);
  return Number.isFinite(value) ? value : cell;
}

function jsonRows(bytes: Buffer, file: string): Row[] {
  const rows: Row[] = [];
  for (const { where, text } of linesOf(bytes)) {
    let cells: unknown;
    try {
      cells = JSON.parse(text);
    } catch {
      throw invalidArgument(`${where} of ${file}`, text, 'it must be one JSON object');
    }
    if (typeof cells !== 'object' || cells === null) {
      throw invalidArgument(`${where} of ${file}`, text, 'it must be one JSON object');
    }
    rows.push({ where, cells: cells as Record<string, unknown> });
  }
  return rows;
}

async function parquetRows(bytes: Buffer, file: string): Promise<Row[]> {
  const copy = new Uint8Array(bytes).buffer;
  try {
    const objects: Record<string, unknown>[] = await parquetReadObjects({ file: copy });
    return objects.map((cells, i) => ({ where: `row ${i}`, cells }));
  } catch (error) {
    throw invalidArgument('trace file', file, `it cannot be read as Parquet: ${String(error)}`);
  }
}

function traceOf(rows: Row[], file: string): Trace {
  const first = rows[0];
  if (!first || rows.length > greatestTracePoints) {
    throw invalidArgument(`points of ${file}`, rows.length, `use 1 to ${greatestTracePoints}`);
  }
  const columns = 'snr_db' in first.cells ? ['snr_db'] : ['re', 'im'];
  for (const name of ['time_s', ...columns]) {
    if (!(name in first.cells)) {
      const found = Object.keys(first.cells).join(', ');
      throw invalidArgument(`columns of ${file}`, found, 'it needs time_s and snr_db, or time_s, re and im');
    }
  }
  const timesSeconds = new Float64Array(rows.length);
  const values = new Float64Array(columns.length * rows.length);
  for (const [i, row] of rows.entries()) {
    timesSeconds[i] = cell(row, 'time_s', file);
    const before = timesSeconds[i - 1];
    if (before !== undefined && timesSeconds[i]! <= before) {
      const what = `time_s in ${row.where} of ${file}`;
      throw invalidArgument(what, timesSeconds[i], `times must rise strictly; the one before is ${before} s`);
    }
    for (const [j, name] of columns.entries()) values[columns.length * i + j] = cell(row, name, file);
  }
  return { kind: columns.length === 1 ? 'snr' : 'gain', timesSeconds, values };
}

function cell({ where, cells }: Row, name: string, file: string): number {
  const value = cells[name];
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalidArgument(`${name} in ${where} of ${file}`, value, 'a trace must have a finite number in every row');
  }
  return value;
}
