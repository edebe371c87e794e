import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import type { LinkAnswer } from '../../../shared/client/link.js';
import { FrameResultSchema } from '../../../shared/gen/semlink/v1/frame_pb.js';
import { Traffic, type TrafficImage } from './traffic.js';

const answer: LinkAnswer<unknown> = { context: undefined, result: create(FrameResultSchema), latencySeconds: 0 };
const imageAt = (index: number): TrafficImage => ({ index, label: 0, rgb: new Uint8Array(3), width: 1, height: 1 });

function setup(rate: number, maxInFlight = 64) {
  const sent: number[] = [];
  const answered: number[] = [];
  const waiting: (() => void)[] = [];
  const answersAtOnce = { is: true };
  const traffic = new Traffic({
    imageAt,
    count: 5,
    rate,
    maxInFlight,
    send: async ({ index }) => {
      sent.push(index);
      if (!answersAtOnce.is) await new Promise<void>((resolve) => waiting.push(resolve));
      return answer;
    },
    onAnswer: ({ index }) => answered.push(index),
  });
  return { traffic, sent, answered, waiting, answersAtOnce };
}

it('goes round the images while it runs', async () => {
  const { traffic, sent, answered } = setup(500);
  traffic.start();
  while (sent.length < 12) await sleep(5);
  traffic.stop();
  await traffic.settled();
  expect(sent.slice(0, 12)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
  expect(answered).toEqual(sent);
  const count = sent.length;
  await sleep(50);
  expect(sent).toHaveLength(count);
  expect(traffic.heldBack).toBe(0);
  // It goes on where it was, and makes up for nothing.
  traffic.start();
  expect(sent).toHaveLength(count + 1);
  expect(sent.at(-1)).toBe(count % 5);
  traffic.stop();
});

it('holds images back while too many have no answer, and does not send them later', async () => {
  const { traffic, sent, waiting, answersAtOnce } = setup(500, 3);
  answersAtOnce.is = false;
  traffic.start();
  while (traffic.heldBack < 5) await sleep(5);
  expect(sent).toHaveLength(3);
  expect(traffic.inFlight).toBe(3);
  traffic.stop();
  for (const resolve of waiting) resolve();
  await traffic.settled();
  expect(traffic.inFlight).toBe(0);
  expect(sent).toHaveLength(3);
});

it('takes a new rate at once', async () => {
  const { traffic, sent } = setup(0.01);
  traffic.start();
  expect(sent).toHaveLength(1);
  traffic.rate = 200;
  while (sent.length < 5) await sleep(5);
  traffic.stop();
});
