import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Code, type SemlinkError } from '../rpc/errors.js';
import { Batcher, type BatcherOptions, type ClosedBy } from './batcher.js';

interface Item {
  id: number;
  bytes: number;
}

/** A batch that has been started and waits for the test to end it. */
interface Running {
  items: Item[];
  closedBy: ClosedBy;
  end(failure?: Error): void;
}

/** A batcher whose engine is the test, and all that it did. */
function rig(limits: Omit<BatcherOptions<Item, string>, 'bytesOf' | 'run'>) {
  const running: Running[] = [];
  const batches: Running[] = [];
  const answers = new Map<number, (string | Error)[]>();
  const batcher = new Batcher<Item, string>({
    ...limits,
    bytesOf: (item) => item.bytes,
    run: (items, closedBy) =>
      new Promise((resolve, reject) => {
        const batch: Running = {
          items,
          closedBy,
          end: (failure) => {
            running.splice(running.indexOf(batch), 1);
            if (failure) reject(failure);
            else resolve(items.map(({ id }) => `result ${id}`));
          },
        };
        running.push(batch);
        batches.push(batch);
      }),
  });
  const submit = (item: Item) =>
    batcher.submit(item, (result, error) => {
      answers.set(item.id, [...(answers.get(item.id) ?? []), (error ?? result)!]);
    });
  return { batcher, running, batches, answers, submit };
}

type Action = { kind: 'submit'; bytes: number } | { kind: 'end' } | { kind: 'fail' } | { kind: 'turn' };
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('submit' as const), bytes: fc.integer({ min: 0, max: 40 }) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'end' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'fail' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'turn' as const }) },
);

describe('Batcher', () => {
  it('answers every item taken exactly once, first in first out, within its bounds, whatever happens', async () => {
    const limits = fc.record({ maxBatch: fc.integer({ min: 1, max: 4 }), maxBytes: fc.integer({ min: 1, max: 100 }) });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(action, { maxLength: 40 }), async ({ maxBatch, maxBytes }, actions) => {
        const { batcher, running, batches, answers, submit } = rig({ maxBatch, maxBytes });
        const taken: Item[] = [];
        const expected = new Map<number, string | Error>();
        const waitingBytes = () =>
          taken.filter(({ id }) => !expected.has(id)).reduce((sum, { bytes }) => sum + bytes, 0);
        const end = async (failure?: Error) => {
          const batch = running[0];
          if (!batch) return;
          for (const { id } of batch.items) expected.set(id, failure ?? `result ${id}`);
          batch.end(failure);
          await turn();
        };
        let id = 0;
        for (const next of actions) {
          if (next.kind === 'submit') {
            const item = { id: id++, bytes: next.bytes };
            const before = waitingBytes();
            if (before > 0 && before + item.bytes > maxBytes) {
              expect(() => submit(item)).toThrow(/engine queue/);
            } else {
              submit(item);
              taken.push(item);
            }
          } else if (next.kind === 'turn') await turn();
          else await end(next.kind === 'fail' ? new Error(`failure ${id}`) : undefined);
          expect(running.length).toBeLessThanOrEqual(1);
          expect(batcher.bytes).toBe(waitingBytes());
        }
        await turn();
        while (running.length > 0) await end();
        expect(batches.flatMap(({ items }) => items)).toEqual(taken);
        for (const { items, closedBy } of batches) {
          expect(items.length).toBeLessThanOrEqual(maxBatch);
          expect(items.length).toBeGreaterThan(0);
          if (closedBy === 'full') expect(items.length).toBe(maxBatch);
        }
        expect(answers).toEqual(new Map([...expected].map(([key, answer]) => [key, [answer]])));
        expect(batcher.bytes).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('runs an item alone at the next turn of the event loop, and those of the same turn with it', async () => {
    const { batches, running, submit } = rig({ maxBatch: 8, maxBytes: 100 });
    submit({ id: 0, bytes: 1 });
    expect(batches).toHaveLength(0);
    await turn();
    expect(batches.map(({ items }) => items.length)).toEqual([1]);
    running[0]!.end();
    await turn();
    for (const id of [1, 2, 3]) submit({ id, bytes: 1 });
    await turn();
    expect(batches.at(-1)!.items.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(batches.at(-1)!.closedBy).toBe('idle');
  });

  it('gathers while a batch runs, and starts the next before the answers of the last are dealt with', async () => {
    const order: string[] = [];
    let release = () => {};
    const batcher = new Batcher<number, number>({
      maxBatch: 3,
      maxBytes: 100,
      bytesOf: () => 1,
      run: async (items, closedBy) => {
        order.push(`run ${items.join()} ${closedBy}`);
        if (items[0] === 0) await new Promise<void>((resolve) => (release = resolve));
        return items;
      },
    });
    const done = (n: number | undefined) => order.push(`done ${n}`);
    batcher.submit(0, done);
    await turn();
    for (const n of [1, 2, 3, 4]) batcher.submit(n, done);
    release();
    await turn();
    expect(order).toEqual([
      'run 0 idle',
      'run 1,2,3 full',
      'done 0',
      'run 4 idle',
      'done 1',
      'done 2',
      'done 3',
      'done 4',
    ]);
  });

  it('is full by a clear error with its numbers, and takes items again when there is room', async () => {
    const { batcher, running, answers, submit } = rig({ maxBatch: 1, maxBytes: 10 });
    submit({ id: 0, bytes: 6 });
    submit({ id: 1, bytes: 4 });
    let error: SemlinkError | undefined;
    try {
      submit({ id: 2, bytes: 1 });
    } catch (thrown) {
      error = thrown as SemlinkError;
    }
    expect(error?.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(error?.message).toMatch(/10 of 10 bytes full.*again/);
    await turn();
    running[0]!.end();
    await turn();
    expect(batcher.bytes).toBe(4);
    submit({ id: 2, bytes: 6 });
    while (running.length > 0) {
      running[0]!.end();
      await turn();
    }
    expect([...answers.keys()]).toEqual([0, 1, 2]);
  });

  it('makes whoever has most waiting give way when it is full, and nobody who has little', async () => {
    const { running, answers, submit, batcher } = rig({
      maxBatch: 1,
      maxBytes: 10,
      keyOf: ({ id }) => (id < 100 ? 'greedy' : `${id}`),
    });
    for (let id = 0; id < 10; id++) submit({ id, bytes: 1 });
    await turn();
    expect(() => submit({ id: 10, bytes: 1 })).toThrow(/10 of 10 bytes full/);
    // The first of the greedy one is being computed, eight of the nine others may have to go.
    for (let id = 100; id < 108; id++) submit({ id, bytes: 1 });
    expect(() => submit({ id: 108, bytes: 1 })).toThrow(/full/);
    expect(batcher.bytes).toBe(10);
    for (let id = 2; id < 10; id++) {
      expect(answers.get(id), `${id}`).toEqual([expect.objectContaining({ code: Code.RESOURCE_EXHAUSTED })]);
    }
    while (running.length > 0) {
      running[0]!.end();
      await turn();
    }
    const done = [...answers].filter(([, [answer]]) => typeof answer === 'string').map(([id]) => id);
    expect(done.toSorted((a, b) => a - b)).toEqual([0, 1, 100, 101, 102, 103, 104, 105, 106, 107]);
    expect(batcher.bytes).toBe(0);
  });

  it('refuses early what would only wait in vain, once it knows how long that is', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { running, submit } = rig({ maxBatch: 1, maxBytes: 1e6, maxWaitMs: 2_000 });
      // One a 100 ms, for a second and more.
      for (let id = 0; id < 12; id++) submit({ id, bytes: 1 });
      await turn();
      for (let id = 0; id < 11; id++) {
        vi.advanceTimersByTime(100);
        running[0]!.end();
        await turn();
      }
      let taken = 0;
      let error: SemlinkError | undefined;
      while (!error && taken < 1_000) {
        try {
          submit({ id: 100 + taken, bytes: 1 });
          taken++;
        } catch (thrown) {
          error = thrown as SemlinkError;
        }
      }
      // 20 take two seconds; one was there.
      expect(taken).toBe(20);
      expect(error).toMatchObject({ code: Code.RESOURCE_EXHAUSTED, retryAfterMs: 1050 });
    } finally {
      vi.useRealTimers();
    }
  });

  it('does not judge by a first batch that was held up', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { running, submit } = rig({ maxBatch: 1, maxBytes: 1e6, maxWaitMs: 2_000 });
      for (let id = 0; id < 3; id++) submit({ id, bytes: 100 });
      await turn();
      vi.advanceTimersByTime(1_500);
      expect(() => submit({ id: 3, bytes: 100 })).not.toThrow();
      running[0]!.end();
      await turn();
      for (let id = 4; id < 20; id++) expect(() => submit({ id, bytes: 100 })).not.toThrow();
    } finally {
      vi.useRealTimers();
    }
  });

  it('takes an item larger than the whole bound when nothing else waits, or it could never be sent', async () => {
    const { answers, running, submit } = rig({ maxBatch: 4, maxBytes: 10 });
    submit({ id: 0, bytes: 1000 });
    expect(() => submit({ id: 1, bytes: 1 })).toThrow(/full/);
    await turn();
    running[0]!.end();
    await turn();
    expect(answers.get(0)).toEqual(['result 0']);
  });

  it('gives the error of a batch to exactly its items, also when run throws at once', async () => {
    const failure = new Error('the engine is gone');
    const got: (Error | number | undefined)[] = [];
    let calls = 0;
    const batcher = new Batcher<number, number>({
      maxBatch: 2,
      maxBytes: 100,
      bytesOf: () => 1,
      run: (items) => {
        if (calls++ === 0) throw failure;
        return Promise.resolve(items);
      },
    });
    for (const n of [0, 1, 2]) batcher.submit(n, (result, error) => got.push(error ?? result));
    await turn();
    await turn();
    expect(got).toEqual([failure, failure, 2]);
    expect(batcher.bytes).toBe(0);
  });

  it('answers with how long to wait once it knows how fast the engine is', async () => {
    const { running, submit } = rig({ maxBatch: 1, maxBytes: 10 });
    submit({ id: 0, bytes: 10 });
    await turn();
    running[0]!.end();
    await turn();
    submit({ id: 1, bytes: 10 });
    let error: SemlinkError | undefined;
    try {
      submit({ id: 2, bytes: 10 });
    } catch (thrown) {
      error = thrown as SemlinkError;
    }
    expect(error?.retryAfterMs).toBeGreaterThanOrEqual(1);
    expect(error?.message).toContain(`try again in ${error?.retryAfterMs} ms`);
  });

  it('runs as many batches at a time as the engine computes', async () => {
    const { batches, running, submit } = rig({ maxBatch: 2, maxBytes: 100, parallel: 2 });
    for (const id of [0, 1, 2, 3, 4]) submit({ id, bytes: 1 });
    await turn();
    expect(running.map(({ items }) => items.map(({ id }) => id))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    running[1]!.end();
    await turn();
    expect(running).toHaveLength(2);
    while (running.length > 0) {
      running[0]!.end();
      await turn();
    }
    expect(batches.map(({ closedBy }) => closedBy)).toEqual(['full', 'full', 'idle']);
  });

  it('takes the largest preferred size of what waits, and what is left after it', async () => {
    const { batches, running, submit } = rig({ maxBatch: 16, maxBytes: 100, preferred: [8, 4] });
    submit({ id: 0, bytes: 1 });
    await turn();
    for (let id = 1; id <= 14; id++) submit({ id, bytes: 1 });
    while (running.length > 0) {
      running[0]!.end();
      await turn();
    }
    expect(batches.map(({ items, closedBy }) => [items.length, closedBy])).toEqual([
      [1, 'idle'],
      [8, 'preferred'],
      [4, 'preferred'],
      [2, 'idle'],
    ]);
  });

  it('waits for company as long as it may, and no longer than until a preferred size is there', async () => {
    const { batches, running, submit } = rig({ maxBatch: 8, maxBytes: 100, preferred: [4], maxDelayMs: 20 });
    submit({ id: 0, bytes: 1 });
    await turn();
    await turn();
    expect(batches).toHaveLength(0);
    await vi.waitFor(() => expect(batches).toHaveLength(1), { timeout: 10_000 });
    expect(batches[0]!.closedBy).toBe('delay');
    running[0]!.end();
    await turn();
    for (const id of [1, 2, 3, 4]) submit({ id, bytes: 1 });
    await turn();
    expect(batches.map(({ items, closedBy }) => [items.length, closedBy])).toEqual([
      [1, 'delay'],
      [4, 'preferred'],
    ]);
  });

  it('serves all in turn, however much one of them sends', async () => {
    const { batches, running, submit } = rig({
      maxBatch: 4,
      maxBytes: 1000,
      keyOf: ({ id }) => (id < 100 ? 'much' : 'little'),
    });
    for (let id = 0; id < 20; id++) submit({ id, bytes: 1 });
    submit({ id: 100, bytes: 1 });
    submit({ id: 101, bytes: 1 });
    await turn();
    expect(batches[0]!.items.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([0, 1, 100, 101]);
    while (running.length > 0) {
      running[0]!.end();
      await turn();
    }
    expect(batches.slice(1).flatMap(({ items }) => items.map(({ id }) => id))).toEqual(
      Array.from({ length: 18 }, (_, i) => i + 2),
    );
  });

  it('does not compute what has waited too long or what nobody waits for, and answers it all the same', async () => {
    const gone = new Set<number>();
    const { batcher, batches, running, answers, submit } = rig({
      maxBatch: 8,
      maxBytes: 100,
      maxWaitMs: 30,
      isAbandoned: ({ id }) => gone.has(id),
    });
    submit({ id: 0, bytes: 1 });
    await turn();
    submit({ id: 1, bytes: 1 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    submit({ id: 2, bytes: 1 });
    submit({ id: 3, bytes: 1 });
    gone.add(3);
    running[0]!.end();
    await turn();
    expect(batches.at(-1)!.items.map(({ id }) => id)).toEqual([2]);
    running[0]!.end();
    await turn();
    expect(answers.get(1)).toEqual([expect.objectContaining({ code: Code.DEADLINE_EXCEEDED })]);
    expect(answers.get(2)).toEqual(['result 2']);
    expect(answers.get(3)).toEqual([expect.objectContaining({ code: Code.CANCELLED })]);
    expect(batcher.bytes).toBe(0);
  });
});
