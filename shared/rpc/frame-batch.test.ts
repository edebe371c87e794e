import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBatch } from './frame-batch.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function collecting(limits: { maxItems?: number; maxBytes?: number; maxDelayMicros?: number }, writable = () => true) {
  const batches: number[][] = [];
  const batch = new FrameBatch<number>({ maxItems: 1000, maxBytes: 1e9, maxDelayMicros: 1e9, ...limits }, (items) => {
    batches.push(items);
    return writable();
  });
  return { batch, batches };
}

describe('FrameBatch', () => {
  it('sends a lone item after one turn of the event loop, however long the delay', async () => {
    const { batch, batches } = collecting({});
    batch.push(1, 10);
    expect(batches).toEqual([]);
    await turn();
    expect(batches).toEqual([[1]]);
  });

  it('sends a burst as one message once a turn brings nothing new', async () => {
    const { batch, batches } = collecting({});
    for (let item = 0; item < 5; item++) batch.push(item, 10);
    await turn();
    await turn();
    expect(batches).toEqual([[0, 1, 2, 3, 4]]);
  });

  it('sends what is all that is under way when the code that gave it has ended, in one message', async () => {
    const batches: number[][] = [];
    let underWay = 0;
    const batch: FrameBatch<number> = new FrameBatch<number>(
      { maxItems: 1000, maxBytes: 1e9, maxDelayMicros: 1e9 },
      (items) => batches.push(items) > 0,
      () => batch.length === underWay,
    );
    const push = (item: number) => {
      underWay++;
      batch.push(item, 10);
    };
    for (let item = 0; item < 3; item++) push(item);
    expect(batches).toEqual([]);
    await Promise.resolve();
    expect(batches).toEqual([[0, 1, 2]]);
    // Three are with the peer: their answers may bring more.
    push(3);
    await Promise.resolve();
    expect(batches).toHaveLength(1);
    await turn();
    expect(batches.slice(1)).toEqual([[3]]);
  });

  it('sends at once when there are enough items, or enough bytes', () => {
    const byCount = collecting({ maxItems: 3 });
    for (let item = 0; item < 7; item++) byCount.batch.push(item, 1);
    expect(byCount.batches).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const byBytes = collecting({ maxBytes: 100 });
    for (let item = 0; item < 5; item++) byBytes.batch.push(item, 50);
    expect(byBytes.batches).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('does not wait beyond the delay while items keep arriving', async () => {
    const { batch, batches } = collecting({ maxDelayMicros: 2000 });
    const end = performance.now() + 50;
    let item = 0;
    while (performance.now() < end) {
      batch.push(item++, 1);
      await turn();
    }
    expect(batches.length).toBeGreaterThan(1);
    expect(batches.flat()).toEqual(batches.flat().map((_, index) => index));
  });

  it('keeps order and limits however items come, and loses none while the pipe is blocked now and then', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 60 }), yields: fc.boolean(), blocks: fc.boolean() }), {
          maxLength: 80,
        }),
        async (steps) => {
          const sizes = steps.map(({ bytes }) => bytes);
          let block = false;
          const { batch, batches } = collecting({ maxItems: 7, maxBytes: 100 }, () => !block);
          for (const [item, { bytes, yields, blocks }] of steps.entries()) {
            block = blocks;
            batch.push(item, bytes);
            if (yields) await turn();
            if (!blocks) batch.resume();
          }
          block = false;
          batch.resume();
          batch.flushAll();
          expect(batches.flat()).toEqual(steps.map((_, item) => item));
          for (const items of batches) {
            expect(items.length).toBeLessThanOrEqual(7);
            const bytes = items.reduce((sum, item) => sum + sizes[item]!, 0);
            if (items.length > 1) expect(bytes).toBeLessThanOrEqual(100);
          }
          expect(batch).toMatchObject({ length: 0, bytes: 0 });
        },
      ),
      { numRuns: 100 },
    );
  });

  it('gives a scheduled flush without items, and none after takeAll', async () => {
    const { batch, batches } = collecting({});
    batch.schedule();
    await turn();
    expect(batches).toEqual([[]]);
    batch.push(1, 5);
    expect(batch.takeAll()).toEqual([1]);
    await turn();
    expect(batches).toEqual([[]]);
  });

  it('drops from the front', () => {
    const { batch } = collecting({});
    batch.block();
    for (let item = 0; item < 5; item++) batch.push(item, 10);
    batch.dropWhile((item) => item < 2);
    expect(batch).toMatchObject({ length: 3, bytes: 30 });
  });
});
