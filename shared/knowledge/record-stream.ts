import { invalidArgument } from '../rpc/errors.js';
import type { KnowledgeSet } from './knowledge-set.js';
import { type OrderWindow, RecordOrder, type RecordSelection } from './order.js';

/** Some records that follow one another in an order. */
export interface RecordBatch {
  /** Place of the first one in the order. */
  readonly position: number;
  readonly count: number;
  /** Their ids, image x views + view; undefined when they count up from `firstId`. */
  readonly ids: Uint32Array | undefined;
  readonly firstId: number;
  /** count records of record_bytes each. */
  readonly records: Uint8Array;
}

export interface RecordStreamOptions extends RecordSelection {
  /** Records of the order to leave out at its start. */
  readonly position?: number;
  /** Most records of one batch. Default 4096. */
  readonly batch?: number;
}

export const RECORDS_PER_BATCH = 4096;

/**
 * Reads records in order. The order depends on the selection alone, so a stream that broke off goes on with `position`
 * where it was. Holds two windows of a few dozen blocks in memory, however large the set is: the next one is read while
 * the last one is used.
 *
 * @throws SemlinkError INVALID_ARGUMENT for a position beyond the end; KnowledgeFault where something is faulty
 */
export async function* streamRecords(
  set: KnowledgeSet,
  options: RecordStreamOptions = {},
): AsyncGenerator<RecordBatch, void, undefined> {
  const { position = 0, batch = RECORDS_PER_BATCH } = options;
  let order: RecordOrder;
  try {
    order = new RecordOrder(set, options);
  } catch (error) {
    throw invalidArgument('range of images', options.firstImage ?? 0, (error as Error).message);
  }
  if (position > order.total) throw invalidArgument('position', position, `the order has ${order.total} records`);
  const windows = order.windows(position);
  let next = readWindow(set, windows.next());
  for (;;) {
    const window = await next;
    if (!window) return;
    next = readWindow(set, windows.next());
    // A failure is met when its turn comes, and may come never: when the reader stops here.
    next.catch(() => {});
    yield* batches(window, set.description.recordBytes, position, batch);
  }
}

/** The selected records of a window, one after the other, and their ids. */
interface ReadWindow {
  readonly position: number;
  readonly count: number;
  readonly records: Uint8Array;
  readonly ids: Uint32Array;
  readonly order: Uint32Array | undefined;
}

async function readWindow(
  set: KnowledgeSet,
  window: IteratorResult<OrderWindow, void>,
): Promise<ReadWindow | undefined> {
  if (window.done) return undefined;
  const { position, count, blocks, parts } = window.value;
  const { recordBytes } = set.description;
  const content = await set.readBlocks(blocks);
  const records = new Uint8Array(count * recordBytes);
  const ids = new Uint32Array(count);
  let at = 0;
  for (const [i, part] of parts.entries()) {
    const from = (part.first - set.rangeOfBlock(blocks[i]!).first) * recordBytes;
    records.set(content[i]!.subarray(from, from + part.count * recordBytes), at * recordBytes);
    for (let j = 0; j < part.count; j++) ids[at++] = part.first + j;
  }
  return { position, count, records, ids, order: window.value.shuffled() };
}

function* batches(
  window: ReadWindow,
  recordBytes: number,
  position: number,
  batch: number,
): Generator<RecordBatch, void, undefined> {
  for (let from = Math.max(0, position - window.position); from < window.count; from += batch) {
    const count = Math.min(batch, window.count - from);
    const place = { position: window.position + from, count };
    if (!window.order) {
      const records = window.records.subarray(from * recordBytes, (from + count) * recordBytes);
      yield { ...place, ids: undefined, firstId: window.ids[from]!, records };
      continue;
    }
    const order = window.order.subarray(from, from + count);
    const ids = new Uint32Array(count);
    for (let i = 0; i < count; i++) ids[i] = window.ids[order[i]!]!;
    yield { ...place, ids, firstId: ids[0]!, records: gathered(window.records, order, recordBytes) };
  }
}

/** Records from anywhere, value by value: they are too short for a call each. */
function gathered(records: Uint8Array, order: Uint32Array, recordBytes: number): Uint8Array {
  const out = new Uint8Array(order.length * recordBytes);
  // Two bytes at a time where that comes out even; both buffers begin at an even address.
  const wide = recordBytes % 2 === 0 && records.byteOffset % 2 === 0;
  const words = (bytes: Uint8Array): Uint16Array => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  if (wide) gather(words(records), order, recordBytes / 2, words(out));
  else gather(records, order, recordBytes, out);
  return out;
}

function gather(from: Uint8Array | Uint16Array, order: Uint32Array, step: number, out: Uint8Array | Uint16Array): void {
  let to = 0;
  for (let i = 0; i < order.length; i++) {
    const at = order[i]! * step;
    for (let j = 0; j < step; j++) out[to++] = from[at + j]!;
  }
}

/**
 * All records of a set in memory, by image, then by view: what a trainer wants that has the room (6.3 MB for CIFAR-10
 * with ten views).
 *
 * @throws KnowledgeFault where something is faulty
 */
export async function readAllRecords(set: KnowledgeSet): Promise<Uint8Array> {
  const { recordBytes } = set.description;
  const all = new Uint8Array(set.records * recordBytes);
  for await (const { position, records } of streamRecords(set, { batch: 65_536 }))
    all.set(records, position * recordBytes);
  return all;
}
