import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkRandom } from '../../../shared/channel/link-random.js';
import { type ChannelStateFeedback, ChannelStateFeedbackSchema } from '../../../shared/gen/semlink/v1/frame_pb.js';
import { DelayQueue } from '../air/delay-queue.js';
import { FeedbackPath, isLost, quantise } from './feedback-path.js';
import { checkFeedback, defaultFeedback, type FeedbackSettings } from './feedback-settings.js';

const report = (position: number, snrDb = 3.3) =>
  create(ChannelStateFeedbackSchema, { linkId: 'a', snrDb, instantaneousSnrDb: snrDb, position: BigInt(position) });

function pathWith(settings: FeedbackSettings, maxHeld?: number) {
  const queue = new DelayQueue();
  const fates: string[] = [];
  const path = new FeedbackPath({
    settingsOf: () => settings,
    randomOf: (linkId) => new LinkRandom(5n, linkId),
    queue,
    onFate: (fate) => fates.push(fate),
    ...(maxHeld !== undefined && { maxHeld }),
  });
  return { path, fates, queue };
}

describe('the quantiser', () => {
  it('errs by at most half a cell within its range, has 2^bits values, and clamps outside', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.double({ min: -20, max: 0, noNaN: true }),
        fc.double({ min: 5, max: 40, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (bits, leastSnrDb, greatestSnrDb, share) => {
          const settings = { ...defaultFeedback, bits, leastSnrDb, greatestSnrDb };
          const snrDb = leastSnrDb + share * (greatestSnrDb - leastSnrDb);
          const half = (greatestSnrDb - leastSnrDb) / 2 ** bits / 2;
          expect(Math.abs(quantise(settings, snrDb) - snrDb)).toBeLessThanOrEqual(half * (1 + 1e-9));
          expect(quantise(settings, -1000)).toBeCloseTo(leastSnrDb + half, 9);
          expect(quantise(settings, 1000)).toBeCloseTo(greatestSnrDb - half, 9);
          expect(quantise(settings, quantise(settings, snrDb))).toBeCloseTo(quantise(settings, snrDb), 9);
        },
      ),
    );
    const settings = { ...defaultFeedback, bits: 3, leastSnrDb: 0, greatestSnrDb: 16 };
    const values = new Set(Array.from({ length: 4000 }, (_, i) => quantise(settings, -2 + i / 200)));
    expect([...values]).toEqual([1, 3, 5, 7, 9, 11, 13, 15]);
  });

  it('leaves values alone with 0 bits', () => {
    expect(quantise(defaultFeedback, 7.123)).toBe(7.123);
  });
});

describe('the way back', () => {
  it('loses reports with its probability, by position and not by time', () => {
    const settings = { ...defaultFeedback, lossProbability: 0.3 };
    const random = new LinkRandom(5n, 'a');
    const lost = Array.from({ length: 20_000 }, (_, i) => isLost(settings, random, 64 * i));
    const rate = lost.filter(Boolean).length / lost.length;
    expect(Math.abs(rate - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / lost.length));
    const { path, fates } = pathWith(settings);
    for (let i = 0; i < 500; i++) path.send(report(64 * i), () => {});
    expect(fates).toEqual(lost.slice(0, 500).map((one) => (one ? 'lost' : 'delivered')));
    expect(isLost({ ...settings, lossProbability: 1 }, random, 7)).toBe(true);
  });

  it('hands everything on at once and as it was by default', () => {
    const { path } = pathWith(defaultFeedback);
    const arrived: ChannelStateFeedback[] = [];
    path.send(report(1), (one) => arrived.push(one));
    expect(arrived).toEqual([report(1)]);
  });

  it('delays reports, with the time of measurement as it was', async () => {
    const { path, queue } = pathWith({ ...defaultFeedback, delayMs: 30, bits: 2, leastSnrDb: 0, greatestSnrDb: 16 });
    const sentAt = performance.now();
    const arrived: { report: ChannelStateFeedback; afterMs: number }[] = [];
    const sent = report(1);
    sent.measuredTimeUnixNano = 123n;
    path.send(sent, (one) => arrived.push({ report: one, afterMs: performance.now() - sentAt }));
    expect([arrived.length, path.held, queue.size]).toEqual([0, 1, 1]);
    while (arrived.length === 0) await sleep(2);
    expect(arrived[0]!.afterMs).toBeGreaterThanOrEqual(30);
    expect(arrived[0]!.report).toMatchObject({ measuredTimeUnixNano: 123n, snrDb: 2, instantaneousSnrDb: 2 });
    expect(path.held).toBe(0);
  });

  it('holds no more than it may', () => {
    const { path, fates, queue } = pathWith({ ...defaultFeedback, delayMs: 10_000 }, 3);
    for (let i = 0; i < 10; i++) path.send(report(i), () => {});
    expect([path.held, queue.size]).toEqual([3, 3]);
    expect(fates).toEqual(Array(7).fill('overflow'));
    queue.close();
  });

  it.each<[Partial<Record<keyof FeedbackSettings, unknown>>, string]>([
    [{ bits: 17 }, 'feedback.bits is 17; use a whole number of 0 to 16 bits'],
    [{ bits: 2.5 }, 'feedback.bits is 2.5; use a whole number'],
    [{ lossProbability: 1.1 }, 'feedback.lossProbability is 1.1; use a number of 0 to 1'],
    [{ lossProbability: Number.NaN }, 'feedback.lossProbability is NaN'],
    [{ delayMs: -1 }, 'feedback.delayMs is -1'],
    [{ leastSnrDb: 40 }, 'feedback.leastSnrDb is 40; use less than feedback.greatestSnrDb, which is 30 dB'],
    [{ pilots: { count: 0, powerDb: 0, equalise: false } }, 'feedback.pilots.count is 0; use a whole number of 1'],
    [{ pilots: { count: 1, powerDb: 31, equalise: false } }, 'feedback.pilots.powerDb is 31'],
    [{ pilots: { count: 1, powerDb: 0, equalise: 'no' } }, 'feedback.pilots.equalise is "no"'],
  ])('refuses %o', (change, message) => {
    expect(() => checkFeedback({ ...defaultFeedback, ...change } as FeedbackSettings)).toThrow(message);
  });
});
