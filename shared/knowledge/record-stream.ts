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
    yield* batches(set, window, position, batch, options.shuffle !== undefined);
  }
}

interface ReadWindow extends OrderWindow {
  readonly content: Uint8Array[];
}

async function readWindow(
  set: KnowledgeSet,
  window: IteratorResult<OrderWindow, void>,
): Promise<ReadWindow | undefined> {
  if (window.done) return undefined;
  const { position, count, blocks } = window.value;
  return { position, count, blocks, ids: () => window.value.ids(), content: await set.readBlocks(blocks) };
}

function* batches(
  set: KnowledgeSet,
  window: ReadWindow,
  position: number,
  batch: number,
  shuffled: boolean,
): Generator<RecordBatch, void, undefined> {
  const { recordBytes } = set.description;
  const ids = window.ids();
  const starts = window.blocks.map((block) => set.rangeOfBlock(block).first);
  for (let from = Math.max(0, position - window.position); from < window.count; from += batch) {
    const count = Math.min(batch, window.count - from);
    const part = ids.subarray(from, from + count);
    const records = new Uint8Array(count * recordBytes);
    if (shuffled) gather(part, window, starts, recordBytes, records);
    else copyRuns(part, window, starts, recordBytes, records);
    yield {
      position: window.position + from,
      count,
      ids: shuffled ? part : undefined,
      firstId: part[0]!,
      records,
    };
  }
}

/** Records from anywhere in the window, byte by byte: they are too short for a call each. */
function gather(
  ids: Uint32Array,
  { content }: ReadWindow,
  starts: readonly number[],
  recordBytes: number,
  out: Uint8Array,
): void {
  let to = 0;
  for (const id of ids) {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= id) low = middle;
      else high = middle - 1;
    }
    const block = content[low]!;
    const from = (id - starts[low]!) * recordBytes;
    for (let i = 0; i < recordBytes; i++) out[to++] = block[from + i]!;
  }
}

/** Records that count up, a block at a time. */
function copyRuns(
  ids: Uint32Array,
  { content }: ReadWindow,
  starts: readonly number[],
  recordBytes: number,
  out: Uint8Array,
): void {
  const [first, last] = [ids[0]!, ids[ids.length - 1]!];
  let to = 0;
  for (const [i, block] of content.entries()) {
    const start = starts[i]!;
    const from = Math.max(first, start);
    const end = Math.min(last + 1, start + block.length / recordBytes);
    if (from >= end) continue;
    out.set(block.subarray((from - start) * recordBytes, (end - start) * recordBytes), to);
    to += (end - from) * recordBytes;
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
