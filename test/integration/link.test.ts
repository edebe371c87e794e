import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LinkOptions, SemanticLink } from '../../shared/client/link.js';
import { policyMessage } from '../../shared/client/policy.js';
import { calibratedAccuracy } from '../../shared/codec/calibration.js';
import { type ChannelStateFeedback, type FrameResult, ImageFrameSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  TransmitRequestSchema,
  TransmitterEncoderService,
} from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import {
  accuracyOf,
  classificationOf,
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

const seed = 7;
const channel = { seed, 'channel.model': 'awgn', 'channel.snrDb': 10 };
let images: TestImage[];
let local: TestLink;
beforeAll(async () => {
  [images, local] = await Promise.all([testImages(500), startTestLink({ 'channel-emulator': channel })]);
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

/** Runs `use` with a link that is closed afterwards. */
async function withLink<T>(
  options: Omit<LinkOptions, 'address'>,
  use: (link: SemanticLink) => Promise<T>,
  address = local.address,
): Promise<T> {
  const link = new SemanticLink({ address, ...options });
  try {
    return await use(link);
  } finally {
    await link.close();
  }
}

describe('real images over three services', () => {
  it('gives every image exactly one result, most of them right', async () => {
    const { manifest } = await defaultModel();
    const k = 32;
    const answers = await withLink({ linkId: 'plain', policy: { kind: 'fixed', channelUses: k } }, (link) =>
      sendAll(link, images),
    );
    expect(answers).toHaveLength(500);
    for (const { result, context, latencySeconds } of answers) {
      expect(result).toMatchObject({
        linkId: 'plain',
        trueLabel: context.label,
        channelUses: k,
        snrDb: 10,
        channelModel: 'awgn',
        modelVersion: manifest.version,
        payloadBytes: 4 * k,
      });
      const { label, confidence, probabilities } = classificationOf(result);
      expect(probabilities).toHaveLength(manifest.classNames.length);
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
      expect(confidence).toBe(Math.max(...probabilities));
      expect(probabilities[label]).toBe(confidence);
      const { encodeNanos, channelNanos, decodeNanos, encodeQueueNanos, decodeQueueNanos } = result.timings!;
      for (const nanos of [encodeNanos, channelNanos, decodeNanos]) expect(Number(nanos)).toBeGreaterThan(0);
      const stages = encodeQueueNanos + encodeNanos + channelNanos + decodeQueueNanos + decodeNanos;
      expect(Number(stages) / 1e9).toBeLessThan(latencySeconds);
    }
    expect(new Set(answers.map(({ result }) => result.sequence)).size).toBe(500);
    expect(accuracyOf(answers)).toBeGreaterThan(0.8);
  });

  it('keeps to a budget of channel uses, and to one of air time', async () => {
    await withLink({ linkId: 'budget', policy: { kind: 'budget', maxChannelUses: 10 } }, async (link) => {
      const few = await sendAll(link, images.slice(0, 50));
      for (const { result } of few) expect(result.channelUses).toBeLessThanOrEqual(8);
      // 1 ms at 4,000 symbols a second: 4 symbols.
      link.setPolicy({ kind: 'budget', maxAirTimeSeconds: 1e-3, symbolRateHz: 4_000 });
      const fewer = await sendAll(link, images.slice(50, 100));
      for (const { result } of fewer) expect(result.channelUses).toBeLessThanOrEqual(4);
    });
  });

  it('sends fewer symbols over a better channel and still reaches the target', async () => {
    const target = 0.75;
    const { manifest } = await defaultModel();
    const reachable = (snrDb: number) =>
      manifest.channelUses.some((_, row) => calibratedAccuracy(manifest.calibration, 'awgn', row, snrDb) >= target);
    const means: number[] = [];
    for (const snrDb of [-4, 2, 8, 16]) {
      const linkId = `target.${snrDb}`;
      await local.emulator.setChannel({ linkId, channel: { snrDb, model: { case: 'awgn', value: {} } } });
      let informed = false;
      const policy = { kind: 'target-accuracy', accuracy: target } as const;
      const answers = await withLink({ linkId, policy, onFeedback: () => (informed = true) }, async (link) => {
        // Until the first channel state is back, the transmitter plays safe.
        const { result } = await link.classify(images[0]!);
        expect(result.channelUses).toBe(manifest.channelUses.at(-1));
        await until(() => informed);
        return sendAll(link, images.slice(1, 401));
      });
      means.push(meanOf(answers.map(({ result }) => result.channelUses)));
      // Four standard errors of 400 images.
      if (reachable(snrDb)) expect(accuracyOf(answers)).toBeGreaterThan(target - 4 * Math.sqrt((0.75 * 0.25) / 400));
    }
    for (const [i, mean] of means.slice(1).entries()) expect(mean).toBeLessThanOrEqual(means[i]!);
    expect(means.at(-1)).toBeLessThan(means[0]! / 2);
  });

  it('does not mix two links with different channels', async () => {
    await local.emulator.setChannel({ linkId: 'near', channel: { snrDb: 20, model: { case: 'awgn', value: {} } } });
    await local.emulator.setChannel({
      linkId: 'far',
      channel: { snrDb: -2, model: { case: 'rayleighBlock', value: { coherenceSymbols: 0 } } },
    });
    const feedback: Record<string, ChannelStateFeedback[]> = { near: [], far: [] };
    const run = (linkId: string, channelUses: number) =>
      withLink(
        {
          linkId,
          policy: { kind: 'fixed', channelUses },
          onFeedback: (all) => feedback[linkId]!.push(...all),
        },
        (link) => sendAll(link, images.slice(0, 300)),
      );
    const [near, far] = await Promise.all([run('near', 64), run('far', 4)]);
    for (const { result } of near!) {
      expect(result).toMatchObject({ linkId: 'near', snrDb: 20, channelModel: 'awgn', channelUses: 64 });
    }
    for (const { result } of far!) {
      expect(result).toMatchObject({ linkId: 'far', snrDb: -2, channelModel: 'rayleigh-block', channelUses: 4 });
    }
    expect(accuracyOf(near!)).toBeGreaterThan(accuracyOf(far!) + 0.1);
    // Feedback: of the link's own channel, and fresh.
    const expected = { near: [20, 'awgn'], far: [-2, 'rayleigh-block'] } as const;
    for (const [linkId, [snrDb, channelModel]] of Object.entries(expected)) {
      expect(feedback[linkId]!.length).toBeGreaterThan(0);
      for (const one of feedback[linkId]!) expect(one).toMatchObject({ linkId, snrDb, channelModel });
    }
    expect(feedback.near!.every((one) => Math.abs(one.instantaneousSnrDb - 20) < 1e-3)).toBe(true);
    const fades = feedback.far!.map((one) => one.instantaneousSnrDb);
    expect(Math.max(...fades) - Math.min(...fades)).toBeGreaterThan(1);
  });

  it('feeds channel state back while it is young', async () => {
    const ages: number[] = [];
    await withLink(
      {
        linkId: 'aged',
        policy: { kind: 'fixed', channelUses: 8 },
        onFeedback: (all) => {
          for (const one of all) ages.push(Date.now() - Number(one.measuredTimeUnixNano / 1_000_000n));
        },
      },
      (link) => sendAll(link, images.slice(0, 100)),
    );
    expect(ages.length).toBeGreaterThan(0);
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...ages)).toBeLessThan(5_000);
  });
});

describe('a second link of fresh processes with the same seed', () => {
  let again: TestLink;
  beforeAll(async () => {
    again = await startTestLink({ 'channel-emulator': channel });
  });
  afterAll(async () => {
    try {
      expect(await again?.stop()).toBe(true);
    } finally {
      killAll(Object.values(again?.processes ?? {}));
    }
  });

  it('gives the same probabilities, image by image', async () => {
    const run = ({ address }: TestLink) =>
      withLink(
        { linkId: 'repeat', policy: { kind: 'fixed', channelUses: 4 }, maxInFlight: 1 },
        (link) => sendAll(link, images.slice(0, 60)),
        address,
      );
    const [first, second] = await Promise.all([run(local), run(again)]);
    for (const [i, { result }] of first!.entries()) {
      const one = classificationOf(result);
      const other = classificationOf(second![i]!.result);
      expect(other.label).toBe(one.label);
      expect(largestDifference(one.probabilities, other.probabilities)).toBeLessThanOrEqual(1e-6);
    }
  });

  it('gives the same probabilities however many images are under way, once the first has told of the channel', async () => {
    const run = ({ address }: TestLink, maxInFlight: number) =>
      withLink(
        { linkId: 'crowd', policy: { kind: 'fixed', channelUses: 4 }, maxInFlight },
        (link) => sendAll(link, images.slice(0, 200)),
        address,
      );
    const window = 64;
    const [first, second] = await Promise.all([run(local, window), run(again, 1)]);
    // The first window was encoded before anything was known of the channel.
    for (const [i, { result }] of first!.entries()) {
      if (i < window) continue;
      const one = classificationOf(result).probabilities;
      expect(largestDifference(one, classificationOf(second![i]!.result).probabilities)).toBeLessThanOrEqual(1e-5);
    }
  });

  it('gives an image the same result alone and among 200 others', async () => {
    for (const subject of images.slice(0, 5)) {
      const linkId = `subject.${subject.index}`;
      const alone = await askTogether(local.address, [[subject, linkId]]);
      const others = images.slice(100, 300).map((image) => [image, `others.${subject.index}`] as const);
      const before = await again.scrape('transmitter-encoder');
      const together = await askTogether(again.address, [
        ...others.slice(0, 90),
        [subject, linkId],
        ...others.slice(90),
      ]);
      const after = await again.scrape('transmitter-encoder');
      const difference = (name: string) => (after.value(name) ?? 0) - (before.value(name) ?? 0);
      // It really was in company.
      expect(difference('semlink_batch_size_sum')).toBe(201);
      expect(difference('semlink_batch_size_count')).toBeLessThan(10);
      const one = classificationOf(alone.get(linkId)![0]!);
      const other = classificationOf(together.get(linkId)![0]!);
      expect(largestDifference(one.probabilities, other.probabilities)).toBeLessThanOrEqual(1e-4);
    }
  });
});

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

/** Sends images in one message, each over the link named with it; the results by link. */
async function askTogether(
  address: string,
  sent: readonly (readonly [TestImage, string])[],
): Promise<Map<string, FrameResult[]>> {
  const client = createRpcClient(TransmitterEncoderService, { address });
  const call = client.transmit();
  const results = new Map<string, FrameResult[]>();
  call.on('data', (response) => {
    for (const result of response.results) results.set(result.linkId, [...(results.get(result.linkId) ?? []), result]);
  });
  const ended = new Promise<void>((resolve, reject) => {
    call.on('status', ({ code, details }) => (code === 0 ? resolve() : reject(new Error(details))));
    call.on('error', () => {});
  });
  const links = [...new Set(sent.map(([, linkId]) => linkId))];
  call.write(
    create(TransmitRequestSchema, {
      policies: links.map((linkId) => policyMessage(linkId, { kind: 'fixed', channelUses: 8 })),
      frames: sent.map(([{ rgb, width, height, label }, linkId], i) =>
        create(ImageFrameSchema, {
          header: {
            linkId,
            sequence: BigInt(i),
            captureTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
            trueLabel: label,
          },
          rgb,
          width,
          height,
        }),
      ),
    }),
  );
  call.end();
  await ended;
  client.close();
  return results;
}
