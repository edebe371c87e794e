import type { ContainerRuntimeClient } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkAnswer } from '../../shared/client/link.js';
import { Code } from '../../shared/rpc/errors.js';
import { accuracyOf, errorOf, sendAll, type TestImage, testImages } from '../integration/link.fixture.js';
import { untilWorking } from '../integration/restartable-link.fixture.js';
import { type ContainerLink, Faults, failures, startContainerLink } from './containers.fixture.js';
import { containerEngine } from './engine.fixture.js';

const engine = await containerEngine();
const ROLES = ['transmitter-encoder', 'channel-emulator', 'receiver-decoder'] as const;

describe.skipIf(engine === undefined)('a link of containers', { timeout: 120_000 }, () => {
  let link: ContainerLink;
  let faults: Faults;
  let images: TestImage[];
  beforeAll(async () => {
    faults = new Faults(engine as ContainerRuntimeClient);
    [images, link] = await Promise.all([testImages(3_000), startContainerLink()]);
  }, 120_000);
  afterAll(() => link?.stop());

  /** Sends images again until they come through, then 200 of which every one must. */
  async function expectWorking(linkId: string): Promise<void> {
    const client = link.open(linkId);
    await untilWorking(client, images[0]!);
    const answers = await sendAll(client, images.slice(0, 200));
    expect(failures(answers)).toEqual([]);
    await client.close();
  }

  it('classifies images that come from outside', async () => {
    const client = link.open('outside');
    const answers = await sendAll(client, images.slice(0, 1_000));
    await client.close();
    // 8 channel uses at 10 dB of block Rayleigh fading; chance is 0.1.
    expect(accuracyOf(answers)).toBeGreaterThan(0.6);
    expect(new Set(answers.map(({ result }) => result.channelUses))).toEqual(new Set([8]));
  });

  it.each(ROLES)('accounts for every image when the %s is killed, and goes on when it is back', async (role) => {
    const service = link.services[role];
    const client = link.open(`kill.${role}`);
    let killed: Promise<void> | undefined;
    const answers = await sendAll(client, images, (count) => {
      if (count === 800) killed = faults.kill(service);
    });
    await killed;
    // Each exactly once: sendAll sees to that.
    const errors = namedErrors(answers);
    expect(errors).toBeGreaterThan(0);
    expect(answers.length - errors).toBeGreaterThanOrEqual(800);
    await client.close();
    await faults.start(service);
    await expectWorking(`killed.${role}`);
  });

  it.each(ROLES)('answers every image when the %s is told to stop, which ends with status 0', async (role) => {
    const service = link.services[role];
    const client = link.open(`stop.${role}`);
    let ended: Promise<number> | undefined;
    const answers = await sendAll(client, images, (count) => {
      if (count === 800) ended = faults.stop(service);
    });
    expect(await ended).toBe(0);
    namedErrors(answers);
    await client.close();
    await faults.start(service);
    await expectWorking(`stopped.${role}`);
  });

  it.each(ROLES.slice(1))(
    'accounts for every image while the %s is cut off, and goes on when it is reached again',
    async (role) => {
      const service = link.services[role];
      const client = link.open(`cut.${role}`);
      let restored: Promise<void> | undefined;
      const answers = await sendAll(client, images.slice(0, 1_200), (count) => {
        if (count !== 400) return;
        restored = faults.disconnect(service, link.network).then(async () => {
          await new Promise((resolve) => setTimeout(resolve, 5_000));
          await faults.reconnect(service, link.network);
        });
      });
      await restored;
      const errors = namedErrors(answers);
      expect(errors).toBeGreaterThan(0);
      expect(answers.length - errors).toBeGreaterThanOrEqual(400);
      await client.close();
      await expectWorking(`restored.${role}`);
    },
  );
});

/** How many answers are errors; each must say what kind and who noticed it. */
function namedErrors(answers: readonly LinkAnswer<TestImage>[]): number {
  const errors = answers.map(({ result }) => errorOf(result)).filter((error) => error !== undefined);
  for (const { code, message, origin } of errors) {
    expect([Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED]).toContain(code);
    expect(message).toMatch(/transmitter-encoder|channel-emulator|receiver-decoder/);
    expect(['client', ...ROLES]).toContain(origin);
  }
  return errors.length;
}
