/** The transmitter sees the channel as the way back shows it: late, coarse, or not at all. Real images, real processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SemanticLink } from '../../shared/client/link.js';
import type { ChannelStateFeedback } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  accuracyOf,
  defaultModel,
  killAll,
  meanOf,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from './link.fixture.js';

const staleAfterMs = 1_000;
let images: TestImage[];
let local: TestLink;
let longest: number;
beforeAll(async () => {
  [images, local] = await Promise.all([
    testImages(120),
    startTestLink({
      'channel-emulator': { seed: 3, 'channel.model': 'awgn', 'channel.snrDb': 18 },
      'transmitter-encoder': { 'rate.staleAfterMs': staleAfterMs },
    }),
  ]);
  longest = (await defaultModel()).manifest.channelUses.at(-1)!;
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

const set = (linkId: string, patch: object) => local.emulator.setChannel({ linkId, patch: JSON.stringify(patch) });

/** A link under target-accuracy, closed afterwards. */
async function withLink<T>(
  linkId: string,
  use: (link: SemanticLink, feedback: ChannelStateFeedback[]) => Promise<T>,
): Promise<T> {
  const feedback: ChannelStateFeedback[] = [];
  const policy = { kind: 'target-accuracy', accuracy: 0.75 } as const;
  const onFeedback = (all: ChannelStateFeedback[]) => feedback.push(...all);
  const link = new SemanticLink({ address: local.address, linkId, policy, onFeedback });
  try {
    return await use(link, feedback);
  } finally {
    await link.close();
  }
}

/** Decisions of a link by reason, and the mean age of what decisions relied on, from the transmitter's metrics. */
async function decisions(linkId: string): Promise<{ stale: number; informed: number }> {
  const seen = await local.scrape('transmitter-encoder');
  const counts = seen.samples.filter(
    ({ name, labels }) => name === 'semlink_rate_decisions_total' && labels.link === linkId,
  );
  const sum = (of: typeof counts) => of.reduce((total, { value }) => total + value, 0);
  const isStale = ({ labels }: (typeof counts)[number]) => labels.reason === 'stale';
  return { stale: sum(counts.filter(isStale)), informed: sum(counts.filter((one) => !isStale(one))) };
}

const lengthsOf = async (link: SemanticLink, some: TestImage[]) =>
  (await sendAll(link, some)).map(({ result }) => result.channelUses);

describe('under target-accuracy', () => {
  it('a perfect way back leads to short messages', async () => {
    await withLink('ideal', async (link, feedback) => {
      expect(await lengthsOf(link, images.slice(0, 1))).toEqual([longest]);
      await until(() => feedback.length > 0);
      expect(meanOf(await lengthsOf(link, images.slice(1)))).toBeLessThan(longest / 2);
    });
    const { stale, informed } = await decisions('ideal');
    expect(stale + informed).toBe(120);
    // On a busy machine a report can be late; on average none is.
    expect(informed).toBeGreaterThan(60);
  });

  it('a way back that loses everything leaves the transmitter at its safe fallback', async () => {
    await set('deaf', { feedback: { lossProbability: 1 } });
    await withLink('deaf', async (link, feedback) => {
      expect(new Set(await lengthsOf(link, images))).toEqual(new Set([longest]));
      expect(feedback).toEqual([]);
    });
    expect(await decisions('deaf')).toEqual({ stale: 120, informed: 0 });
  });

  it('a report that comes later than it is trusted is stale when it comes', async () => {
    await set('late', { feedback: { delayMs: staleAfterMs + 200 } });
    await withLink('late', async (link, feedback) => {
      await lengthsOf(link, images.slice(0, 5));
      await until(() => feedback.length > 0);
      expect(Date.now() - Number(feedback[0]!.measuredTimeUnixNano / 1_000_000n)).toBeGreaterThan(staleAfterMs);
      expect(new Set(await lengthsOf(link, images.slice(5, 20)))).toEqual(new Set([longest]));
    });
    expect((await decisions('late')).informed).toBe(0);
  });

  it('decisions go by a state as old as the delay, and follow the channel that much later', async () => {
    const delayMs = 400;
    await set('delayed', { feedback: { delayMs }, channel: { snrDb: -5 } });
    const before = await local.scrape('transmitter-encoder');
    await withLink('delayed', async (link, feedback) => {
      await lengthsOf(link, images.slice(0, 5));
      await until(() => feedback.length > 0);
      const poor = await lengthsOf(link, images.slice(5, 10));
      await set('delayed', { channel: { snrDb: 25 } });
      const changedAt = performance.now();
      // The first reports of the better channel are under way: the transmitter still goes by the worse one.
      const still = await lengthsOf(link, images.slice(10, 15));
      if (performance.now() - changedAt < delayMs) expect(still).toEqual(poor);
      await until(() => feedback.some(({ snrDb }) => snrDb === 25));
      expect(performance.now() - changedAt).toBeGreaterThanOrEqual(delayMs);
      expect(meanOf(await lengthsOf(link, images.slice(15, 20)))).toBeLessThan(meanOf(poor));
    });
    const after = await local.scrape('transmitter-encoder');
    const grown = (name: string, labels?: Record<string, string>) =>
      (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0);
    const count = grown('semlink_feedback_age_seconds_count');
    expect(count).toBeGreaterThanOrEqual(15);
    // Every decision that had a state had one at least as old as the delay.
    expect(grown('semlink_feedback_age_seconds_bucket', { le: '0.25' })).toBe(0);
    expect(grown('semlink_feedback_age_seconds_sum') / count).toBeGreaterThanOrEqual(delayMs / 1e3);
  });

  it('a quantised report is what the transmitter goes by', async () => {
    // One bit over -40 to 60 dB: -15 or 35 dB, whatever the SNR is.
    await set('coarse', { channel: { snrDb: 4 }, feedback: { bits: 1, leastSnrDb: -40, greatestSnrDb: 60 } });
    await withLink('coarse', async (link, feedback) => {
      await lengthsOf(link, images.slice(0, 1));
      await until(() => feedback.length > 0);
      expect(new Set(feedback.map(({ snrDb }) => snrDb))).toEqual(new Set([-15]));
      expect(new Set(await lengthsOf(link, images.slice(1, 20)))).not.toContain(1);
    });
    await set('coarse', { channel: { snrDb: 12 } });
    await withLink('coarse', async (link, feedback) => {
      await lengthsOf(link, images.slice(0, 1));
      await until(() => feedback.some(({ snrDb }) => snrDb === 35));
    });
  });

  it('estimates from many pilots serve as well as the truth, for the rate and for the equaliser', async () => {
    const accuracy: number[] = [];
    for (const [linkId, pilots] of [
      ['genie', null],
      ['pilots', { count: 64, powerDb: 0, equalise: true }],
    ] as const) {
      await set(linkId, { channel: { model: 'rayleigh-block', snrDb: 12 }, feedback: { pilots } });
      await withLink(linkId, async (link, feedback) => {
        link.setPolicy({ kind: 'fixed', channelUses: 64 });
        accuracy.push(accuracyOf(await sendAll(link, images)));
        const errors = feedback.map(({ snrDb }) => Math.abs(snrDb - 12));
        expect(Math.max(...errors)).toBeLessThan(3);
        if (pilots) expect(Math.max(...errors)).toBeGreaterThan(0.05);
      });
    }
    expect(Math.abs(accuracy[0]! - accuracy[1]!)).toBeLessThan(0.15);
  });
});
