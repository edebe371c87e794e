/** Clients whose images share a stream between transmitter and emulator do not feel each other. Real images, real processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SemanticLink } from '../../shared/client/link.js';
import {
  errorOf,
  killAll,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from './link.fixture.js';

/** A share of it, 1/64, holds three images of 64 symbols. */
const windowBytes = 192 * 1024;
const delayMs = 700;
let images: TestImage[];
let local: TestLink;
beforeAll(async () => {
  [images, local] = await Promise.all([
    testImages(40),
    startTestLink({
      'channel-emulator': { 'channel.model': 'awgn', 'channel.snrDb': 10 },
      'transmitter-encoder': { 'stream.windowBytes': windowBytes },
    }),
  ]);
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

const open = (linkId: string) =>
  new SemanticLink({ address: local.address, linkId, policy: { kind: 'fixed', channelUses: 64 } });

async function emulatorStreams(): Promise<number | undefined> {
  const { samples } = await local.scrape('channel-emulator');
  return samples.find(({ name, labels }) => name === 'semlink_streams_open' && labels.side === 'served')?.value;
}

describe('streams of images', () => {
  it('with little under way are one stream to the emulator, and none when they end', async () => {
    const links = Array.from({ length: 12 }, (_, i) => open(`light-${i}`));
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(links.map((link, i) => sendAll(link, [images[(i + round) % 40]!])));
      expect(answers.flat().map(({ result }) => errorOf(result))).toEqual(Array(12).fill(undefined));
    }
    expect(await emulatorStreams()).toBe(1);
    await Promise.all(links.map((link) => link.close()));
    await until(async () => (await emulatorStreams()) === 0);
  });

  it('wait for a slow link of their own only, and one with more under way than its share gets a stream of its own', async () => {
    const patch = JSON.stringify({ air: { realTime: true, propagationDelayMs: delayMs } });
    await local.emulator.setChannel({ linkId: 'far', patch });
    const [far, near] = [open('far'), open('near')];
    const started = performance.now();
    let farAt = 0;
    const farAnswers = sendAll(far, images).then((answers) => {
      farAt = performance.now();
      return answers;
    });
    let nearMs = 0;
    for (const image of images.slice(0, 10)) {
      const sent = performance.now();
      expect(errorOf((await sendAll(near, [image]))[0]!.result)).toBeUndefined();
      nearMs = Math.max(nearMs, performance.now() - sent);
    }
    const answers = await farAnswers;
    expect(answers.map(({ result }) => errorOf(result))).toEqual(Array(40).fill(undefined));
    // In the order in which they were sent, each from where the one before it ended.
    expect(answers.map(({ result }) => result.position)).toEqual(images.map((_, i) => BigInt(i * 64)));
    expect(nearMs).toBeLessThan(delayMs);
    // Once more than the delay: those of the share first, then the others, over a stream of their own.
    expect(farAt - started).toBeGreaterThan(2 * delayMs);
    expect(await emulatorStreams()).toBe(2);
    await Promise.all([far.close(), near.close()]);
    await until(async () => (await emulatorStreams()) === 0);
  });
});
