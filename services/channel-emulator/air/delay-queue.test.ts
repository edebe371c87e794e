import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { DelayQueue } from './delay-queue.js';

let queue = new DelayQueue();
afterEach(() => {
  queue.close();
  queue = new DelayQueue();
});

describe('DelayQueue', () => {
  it('runs everything once, by time and then by call, and nothing early', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -2, max: 15 }), { maxLength: 60 }), async (delays) => {
        const start = performance.now();
        const ran: number[] = [];
        for (const [i, delay] of delays.entries()) {
          queue.at(start + delay, () => {
            expect(performance.now()).toBeGreaterThanOrEqual(start + delay);
            ran.push(i);
          });
        }
        while (queue.size > 0) await sleep(1);
        const sorted = [...delays.keys()].sort((a, b) => delays[a]! - delays[b]! || a - b);
        expect(ran).toEqual(sorted);
      }),
      { numRuns: 15, seed: 1 },
    );
  });

  it('runs what is added while running, and what comes before what it waits for', async () => {
    const ran: string[] = [];
    const now = performance.now();
    queue.at(now + 40, () => ran.push('late'));
    queue.at(now + 5, () => {
      ran.push('early');
      queue.at(now, () => ran.push('overdue'));
    });
    while (ran.length < 3) await sleep(2);
    expect(ran).toEqual(['early', 'overdue', 'late']);
  });

  it('forgets everything when it is closed', async () => {
    let ran = false;
    queue.at(performance.now() + 2, () => {
      ran = true;
    });
    queue.close();
    expect(queue.size).toBe(0);
    await sleep(10);
    expect(ran).toBe(false);
  });

  it('waits longer than a timer can', () => {
    queue.at(performance.now() + 2 ** 33, () => {});
    expect(queue.size).toBe(1);
  });
});
