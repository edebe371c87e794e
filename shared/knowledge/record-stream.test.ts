import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { BlockCache } from './block-cache.js';
import { FolderStore } from './folder-store.js';
import { KnowledgeSet } from './knowledge-set.js';
import { type RecordBatch, type RecordStreamOptions, readAllRecords, streamRecords } from './record-stream.js';
import { sampleDescription, temporaryStore, writeSampleSet } from './sample-set.fixture.js';

let store: FolderStore;
let set: KnowledgeSet;
let all: Uint8Array;
const images = 500;
const views = 3;

beforeAll(async () => {
  store = await temporaryStore();
  // 1500 records in blocks of 16: more than two windows.
  await writeSampleSet(store, sampleDescription({ images, views, imagesPerShard: 70 }));
  set = await KnowledgeSet.open(store);
  all = await readAllRecords(set);
});

interface Read {
  ids: number[];
  records: number[];
  positions: number[];
}

async function read(options: RecordStreamOptions, most = Number.POSITIVE_INFINITY): Promise<Read> {
  const got: Read = { ids: [], records: [], positions: [] };
  for await (const batch of streamRecords(set, options)) {
    got.positions.push(batch.position);
    got.ids.push(...idsOf(batch));
    got.records.push(...batch.records);
    if (got.positions.length === most) break;
  }
  return got;
}

function idsOf({ ids, count, firstId }: RecordBatch): number[] {
  return ids ? [...ids] : Array.from({ length: count }, (_, i) => firstId + i);
}

const recordOf = (id: number): number[] => [
  ...all.subarray(id * set.description.recordBytes, (id + 1) * set.description.recordBytes),
];

describe('streamRecords', () => {
  it('gives every selected record once, with its own content, in whatever order', async () => {
    const selections = fc.record({
      firstImage: fc.integer({ min: 0, max: images - 1 }),
      images: fc.integer({ min: 0, max: images }),
      batch: fc.integer({ min: 1, max: 700 }),
      shuffle: fc.option(fc.record({ seed: fc.nat(), epoch: fc.nat({ max: 50 }) }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(selections, async (selection) => {
        const count = Math.min(selection.images || images, images - selection.firstImage);
        const { ids, records, positions } = await read({ ...selection, images: count });
        const due = Array.from({ length: count * views }, (_, i) => selection.firstImage * views + i);
        expect(selection.shuffle ? [...ids].sort((a, b) => a - b) : ids).toEqual(due);
        expect(records).toEqual(ids.flatMap(recordOf));
        expect(positions).toEqual([...positions].sort((a, b) => a - b));
      }),
      { numRuns: 40 },
    );
  });

  it('goes on from any position as if it had not stopped', async () => {
    const shuffle = { seed: 4, epoch: 2 };
    const whole = await read({ shuffle, batch: 100 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: images * views }),
        fc.integer({ min: 1, max: 300 }),
        async (position, batch) => {
          const rest = await read({ shuffle, position, batch });
          expect(rest.ids).toEqual(whole.ids.slice(position));
          if (rest.positions.length > 0) expect(rest.positions[0]).toBe(position);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('has another order in every epoch and for every seed, and mixes far images', async () => {
    const orders = await Promise.all(
      [
        { seed: 1, epoch: 0 },
        { seed: 1, epoch: 1 },
        { seed: 2, epoch: 0 },
      ].map(async (shuffle) => (await read({ shuffle })).ids),
    );
    for (const [i, a] of orders.entries()) {
      for (const b of orders.slice(i + 1)) {
        // Two random orders agree in one place on average.
        expect(a.filter((id, place) => id === b[place]).length).toBeLessThan(12);
      }
      const start = a.slice(0, 100).map((id) => Math.floor(id / views));
      expect(Math.max(...start) - Math.min(...start)).toBeGreaterThan(images / 2);
    }
  });

  it.each([
    [{ firstImage: images }, /images 500/],
    [{ firstImage: 10, images: images }, /images 10 to 509/],
    [{ position: images * views + 1 }, /position is 1501/],
  ])('refuses %j', async (options, message) => {
    await expect(read(options)).rejects.toThrow(message);
  });

  it('reads no more than two windows ahead of a slow reader', async () => {
    let bytes = 0;
    class CountingStore extends FolderStore {
      override read(name: string, offset: number, length: number): Promise<Uint8Array> {
        bytes += length;
        return super.read(name, offset, length);
      }
    }
    const counting = new CountingStore(store.url);
    const slow = await KnowledgeSet.open(counting);
    const stream = streamRecords(slow, { shuffle: { seed: 1, epoch: 1 }, batch: 10 });
    await stream.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const manifest = (await store.size('manifest.json'))!;
    // 8 headers of less than 4 KiB, two windows of 32 blocks of 16 records of 14 bytes.
    expect(bytes).toBeLessThan(manifest + 8 * 4096 + 2 * 32 * (16 * 14 + 16));
    await stream.return();
  });
});

describe('KnowledgeSet', () => {
  it('gives single records in the order asked for, repeated ones too', async () => {
    const ids = [1499, 0, 700, 0, 701, 33];
    const records = await set.readRecords(ids);
    expect([...records]).toEqual(ids.flatMap(recordOf));
    await expect(set.readRecords([1500])).rejects.toThrow('record 1500 is not in');
    await expect(set.readRecords([0.5])).rejects.toThrow('record 0.5');
  });

  it('reads a block once while it is in the cache, also when several want it at once', async () => {
    const counts = { hits: 0, misses: 0, bytes: 0 };
    const observer = {
      hit: (blocks: number) => {
        counts.hits += blocks;
      },
      miss: (blocks: number, bytes: number) => {
        counts.misses += blocks;
        counts.bytes += bytes;
      },
    };
    const cached = await KnowledgeSet.open(store, { observer });
    await Promise.all(Array.from({ length: 8 }, () => cached.readRecords([0, 5, 100])));
    expect(counts).toEqual({ hits: 7 * 2, misses: 2, bytes: 2 * (16 * 14 + 16) });
  });

  it('keeps no more bytes than it may', async () => {
    const cache = new BlockCache(1000);
    const small = await KnowledgeSet.open(store, { cache });
    for (let epoch = 0; epoch < 2; epoch++) {
      for await (const _ of streamRecords(small, { shuffle: { seed: 1, epoch } })) {
        expect(cache.bytes).toBeLessThanOrEqual(1000);
      }
    }
    expect(cache.bytes).toBeGreaterThan(1000 - 16 * 14 - 1);
    cache.forget(store.url);
    expect(cache.bytes).toBe(0);
  });
});
