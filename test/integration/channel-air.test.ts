import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import { Code } from '../../shared/rpc/errors.js';
import type { ServerHandle } from '../../shared/rpc/server.js';
import { scrape } from '../telemetry/exposition-parse.js';
import {
  type EmulatorProcess,
  errorOf,
  frameOf,
  startEmulator,
  startReceiver,
  startSender,
  until,
} from './channel.fixture.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const arrived: { frame: SymbolFrame; atMs: number }[] = [];
let receiver: ServerHandle;
let emulator: EmulatorProcess;
beforeAll(async () => {
  receiver = await startReceiver((frame) => arrived.push({ frame, atMs: performance.now() }));
  emulator = await startEmulator(receiver.address, '--seed', '7', '--stream-window-bytes', '262144');
});
afterAll(async () => {
  expect(await emulator?.stop()).toBe(0);
  await receiver?.drain();
});

function sender(address = emulator.address, options: Parameters<typeof startSender>[1] = {}) {
  const one = startSender(address, options);
  cleanups.push(one.close);
  return one;
}

type Client = ReturnType<typeof sender>['client'];
const set = (client: Client, linkId: string, patch: object) =>
  client.setChannel({ linkId, patch: JSON.stringify(patch) });
const arrivalsOf = (linkId: string) => arrived.filter(({ frame }) => frame.header!.linkId === linkId);

describe('a link in real time', () => {
  it('has its frames on the air one after the other, each after its air time and delay', async () => {
    const { client, send, results } = sender();
    // 20 symbols at 1,000 a second: 20 ms.
    await set(client, 'slow', { air: { realTime: true, symbolRateHz: 1000, propagationDelayMs: 30 } });
    const start = performance.now();
    for (let i = 0; i < 8; i++) await send(frameOf('slow', i, 20));
    await until(() => results.size === 8);
    for (const [i, { frame, atMs }] of arrivalsOf('slow').entries()) {
      expect(frame.header!.sequence).toBe(BigInt(i));
      expect(atMs - start).toBeGreaterThanOrEqual(20 * (i + 1) + 30 - 1);
      expect(frame.timings).toMatchObject({ airNanos: 20_000_000n, delayNanos: 30_000_000n });
      // All came at about the same time: frame i waited for those before it.
      expect(Math.abs(Number(frame.timings!.airWaitNanos) / 1e6 - 20 * i)).toBeLessThan(20 * i + 1);
      const held = Number(frame.timings!.channelNanos) / 1e6;
      const { airWaitNanos, airNanos, delayNanos } = frame.timings!;
      expect(held).toBeGreaterThanOrEqual(Number(airWaitNanos + airNanos + delayNanos) / 1e6 - 0.5);
    }
  });

  it('holds up no other link of its stream, and is refused what its air cannot carry', async () => {
    const { client, send, ask, results, arrivals } = sender();
    await set(client, 'jammed', { air: { realTime: true, symbolRateHz: 1000, maxWaitMs: 1000 } });
    const frames = 300;
    // 10 ms each: 3 s of air in all, and a frame waits 1 s at most.
    for (let i = 0; i < frames; i++) await send(frameOf('jammed', i, 10));
    for (let i = 0; i < 5; i++) expect((await ask(frameOf('free', i))).outcome.case).toBe('classification');
    await until(() => results.size === frames + 5);
    expect(arrivals.get('free/0')!).toBeLessThan(arrivals.get('jammed/90')!);
    const refused = [...results.values()].map(errorOf).filter((error) => error !== undefined);
    expect(refused.length).toBeGreaterThan(100);
    expect(refused[0]).toMatchObject({
      code: Code.RESOURCE_EXHAUSTED,
      origin: 'channel-emulator',
      message: expect.stringMatching(
        /^the air of the link is taken for another \d+\.\d ms, and a frame may wait 1000; send at/,
      ),
    });
    // What was refused never was on the air.
    const carried = frames - refused.length;
    await expect(client.getChannel({ linkId: 'jammed' })).resolves.toMatchObject({ position: BigInt(10 * carried) });
    const metrics = await scrape(`http://${emulator.metricsAddress}`);
    expect(metrics.value('semlink_air_lost_total', { link: 'jammed', reason: 'queue_full' })).toBe(refused.length);
    expect(metrics.value('semlink_air_wait_seconds_count')).toBeGreaterThan(10);
  });

  it('alone on its stream is not refused: it is read no further until frames have arrived', async () => {
    const { client, send, results } = sender(emulator.address, { windowBytes: 1024 * 1024 });
    await set(client, 'alone', { air: { realTime: true, propagationDelayMs: 300 } });
    const frames = 1_000;
    // 576 bytes each: more than twice the window of 256 KiB.
    for (let i = 0; i < frames; i++) await send(frameOf('alone', i, 8));
    await until(() => results.size === frames);
    expect([...results.values()].map(errorOf).filter((error) => error !== undefined)).toEqual([]);
  });

  it('may hold a share of the stream that it has with others', async () => {
    const { client, send, ask, results } = sender(emulator.address, { windowBytes: 1024 * 1024 });
    // Far away: frames leave the air at once and are on their way for long.
    await set(client, 'far', { air: { realTime: true, propagationDelayMs: 1_500 } });
    const frames = 300;
    await ask(frameOf('near', 0));
    for (let i = 0; i < frames; i++) await send(frameOf('far', i, 8));
    const start = performance.now();
    expect((await ask(frameOf('near', 1))).outcome.case).toBe('classification');
    expect(performance.now() - start).toBeLessThan(1_000);
    await until(() => results.size === frames + 2);
    const refused = [...results.values()].map(errorOf).filter((error) => error !== undefined);
    // A quarter of 256 KiB at 576 bytes a frame is 113 of them.
    expect(frames - refused.length).toBe(113);
    expect(refused[0]!.message).toMatch(
      /^frames on the air of link "far" is "\d+ bytes"; a link may hold 65536 of the stream/,
    );
  });

  it('draws its jitter from the seed, and keeps the order unless it may not', async () => {
    const delays: string[][] = [];
    for (const reorder of [false, true]) {
      const { client, send, results } = sender();
      const linkId = 'jittery';
      await client.resetChannel({ linkId });
      await set(client, linkId, { air: { realTime: true, symbolRateHz: 1e6, jitterMs: 60, reorder } });
      arrived.length = 0;
      const { position } = await client.getChannel({ linkId });
      for (let i = 0; i < 30; i++) await send(frameOf(linkId, i, 8));
      await until(() => results.size === 30);
      const order = arrivalsOf(linkId).map(({ frame }) => Number(frame.header!.sequence));
      const sorted = [...order].sort((a, b) => a - b);
      if (reorder) expect(order).not.toEqual(sorted);
      else expect(order).toEqual(sorted);
      delays.push(
        arrivalsOf(linkId)
          .filter(({ frame }) => frame.channel!.position >= position)
          .map(({ frame }) => `${frame.timings!.delayNanos}`),
      );
    }
    expect(delays.flat().every((nanos) => BigInt(nanos) <= 60_000_000n)).toBe(true);
  });
});

describe('a frame that the air loses', () => {
  it('is answered so, has been on the air, and the next is not hindered', async () => {
    const { client, ask } = sender();
    await set(client, 'lossy', { channel: { model: 'erasure', probability: 1, unit: 'frame' } });
    arrived.length = 0;
    const result = await ask(frameOf('lossy', 0));
    expect(errorOf(result)).toMatchObject({
      code: Code.DATA_LOSS,
      origin: 'channel-emulator',
      message:
        'the air lost the frame (model erasure, position 0); send again, or expect it: losses are part of the channel',
    });
    expect(result).toMatchObject({ channelUses: 8, channelModel: 'erasure', payloadBytes: 64 });
    await set(client, 'lossy', { channel: { model: 'awgn' } });
    expect((await ask(frameOf('lossy', 1))).outcome.case).toBe('classification');
    expect(arrived.map(({ frame }) => [frame.header!.sequence, frame.channel!.position])).toEqual([[1n, 8n]]);
    const metrics = await scrape(`http://${emulator.metricsAddress}`);
    expect(metrics.value('semlink_air_lost_total', { link: 'lossy', reason: 'erased' })).toBe(1);
  });
});

describe('feedback', () => {
  it('comes quantised, late, and with its time of measurement', async () => {
    const { client, ask, feedback } = sender();
    const linkId = 'coarse';
    const way = { bits: 3, leastSnrDb: 0, greatestSnrDb: 16, delayMs: 150 };
    await set(client, linkId, { channel: { snrDb: 10.4 }, feedback: way });
    const start = performance.now();
    await ask(frameOf(linkId, 0));
    expect(feedback).toEqual([]);
    await until(() => feedback.length > 0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(150);
    // Cells of 2 dB: 10 to 12 is reported as 11.
    expect(feedback[0]).toMatchObject({ linkId, snrDb: 11, instantaneousSnrDb: 11, position: 0n });
    expect(Date.now() - Number(feedback[0]!.measuredTimeUnixNano / 1_000_000n)).toBeGreaterThanOrEqual(145);
  });

  it('is lost by seed and position, the same in every process', async () => {
    const delivered: bigint[][] = [];
    for (let round = 0; round < 2; round++) {
      const other = await startEmulator(receiver.address, '--seed', '21', '--feedback-loss-probability', '0.4');
      cleanups.push(() => other.stop());
      const { ask, feedback } = sender(other.address);
      const frames = 60;
      // One at a time, so that no report is replaced by a newer one on its way.
      for (let i = 0; i < frames; i++) await ask(frameOf('unlucky', i));
      await new Promise((resolve) => setTimeout(resolve, 100));
      delivered.push(feedback.map(({ position }) => position));
      const metrics = await scrape(`http://${other.metricsAddress}`);
      const lost = metrics.value('semlink_feedback_total', { fate: 'lost' })!;
      expect(lost + metrics.value('semlink_feedback_total', { fate: 'delivered' })!).toBe(frames);
      expect(lost).toBeGreaterThan(10);
      expect(lost).toBeLessThan(40);
    }
    expect(delivered[0]).toEqual(delivered[1]);
  });

  it('says what pilots show, and gives the equaliser their gains when asked to', async () => {
    const { client, ask } = sender();
    const linkId = 'piloted';
    await set(client, linkId, {
      channel: { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 8 },
      feedback: { pilots: { count: 4, powerDb: 3, equalise: true } },
    });
    arrived.length = 0;
    for (let i = 0; i < 20; i++) await ask(frameOf(linkId, i, 32));
    const seen = arrived.map(({ frame }) => frame.channel!);
    for (const { estimate, gains, noisePower } of seen) {
      expect(estimate!.errorVariance).toBeCloseTo(noisePower / (4 * 10 ** 0.3), 6);
      expect(estimate!.gains).toHaveLength(gains.length);
      // Estimates err, by some standard deviations at most.
      const errors = estimate!.gains.map((gain, i) => Math.abs(gain - gains[i]!));
      expect(Math.max(...errors)).toBeGreaterThan(0);
      expect(Math.max(...errors)).toBeLessThan(6 * Math.sqrt(estimate!.errorVariance / 2));
    }
    const snr = seen.map(({ estimate }) => estimate!.snrDb);
    expect(new Set(snr).size).toBe(20);
    expect(Math.abs(snr.reduce((sum, value) => sum + value, 0) / 20 - 10)).toBeLessThan(1);
    await set(client, linkId, { feedback: { pilots: null } });
    arrived.length = 0;
    await ask(frameOf(linkId, 20));
    expect(arrived[0]!.frame.channel!.estimate).toBeUndefined();
  });
});
