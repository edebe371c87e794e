/** A link whose channel-emulator changes in the middle: its channel goes on where it was, as if nothing had happened. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { SemanticLink } from '../../shared/client/link.js';
import { decodeSymbols } from '../../shared/codec/symbols.js';
import type { SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import type { ServerHandle } from '../../shared/rpc/server.js';
import type { ServiceName } from '../../shared/telemetry/index.js';
import { startReceiver } from './channel.fixture.js';
import { errorOf, killAll, sendAll, type TestImage, testImages } from './link.fixture.js';
import { ownLoopback } from './own-loopback.fixture.js';

const linkId = 'moves';
const processes = new Set<ServiceProcess>();
/** What has come over the air, in order of sequence when all of it has. */
let arrived: SymbolFrame[] = [];
let receiver: ServerHandle;
let images: TestImage[];

beforeAll(async () => {
  images = await testImages(240);
  receiver = await startReceiver((frame) => arrived.push(frame));
});
afterAll(async () => {
  killAll(processes);
  await receiver?.drain();
});

async function start(role: ServiceName, listen: string, ...flags: string[]): Promise<ServiceProcess> {
  const all = ['--listen', listen, '--metrics-listen', '127.0.0.1:0', '--log-level', 'warn', ...flags];
  const service = await startServiceProcess(role, all, { onLog: () => {} });
  processes.add(service);
  return service;
}

const startEmulator = (listen = ownLoopback) =>
  start(
    'channel-emulator',
    listen,
    ...['--receiver', receiver.address, '--seed', '11', '--channel-model', 'rayleigh-block', '--channel-snr-db', '5'],
  );

/** Sends all images through these emulators, while `meanwhile` goes on with each third; what the air made of each. */
async function sendThrough(emulators: readonly ServiceProcess[], meanwhile: (third: number) => unknown = () => {}) {
  const channel = emulators.map(({ address }) => address).join();
  // An emulator that is back is looked for more and more rarely the longer it was away.
  const patience = ['--reconnect-wait-ms', '20000'];
  const transmitter = await start('transmitter-encoder', '127.0.0.1:0', '--channel', channel, ...patience);
  const policy = { kind: 'fixed', channelUses: 8 } as const;
  const link = new SemanticLink({
    address: transmitter.address,
    linkId,
    policy,
    maxInFlight: 8,
    reconnectWaitMs: 20_000,
  });
  arrived = [];
  const answers = [];
  for (let third = 0; third < 3; third++) {
    const part = images.slice(80 * third, 80 * (third + 1));
    const [of] = await Promise.all([sendAll(link, part), meanwhile(third)]);
    answers.push(...of);
  }
  await link.close();
  expect(answers.flatMap(({ result }) => errorOf(result)?.message ?? [])).toEqual([]);
  expect(answers.map(({ result }) => result.position)).toEqual(answers.map((_, i) => BigInt(8 * i)));
  return arrived
    .toSorted((a, b) => Number(a.header!.sequence - b.header!.sequence))
    .map((frame) => ({
      position: frame.channel!.position,
      gains: frame.channel!.gains,
      symbols: decodeSymbols(frame),
    }));
}

describe('a link that moves to another channel-emulator, and back', () => {
  it('has the channel and the noise that it has at one', async () => {
    const alone = await sendThrough([await startEmulator()]);
    const two = [await startEmulator(), await startEmulator()];
    const moved = await sendThrough(two, async (third) => {
      // One goes with frames under way, then the other, when the first is there again: the link is on either once.
      if (third === 1) {
        expect(await two[0]!.stop()).toBe(0);
        two[0] = await startEmulator(two[0]!.address);
      }
      if (third === 2) expect(await two[1]!.stop()).toBe(0);
    });
    expect(moved.map(({ position }) => position)).toEqual(alone.map(({ position }) => position));
    expect(moved.map(({ gains }) => gains)).toEqual(alone.map(({ gains }) => gains));
    // The encoder's own arithmetic may differ in the last bits from batch to batch; the noise, of power 0.3, not at all.
    for (const [i, { symbols }] of moved.entries()) {
      for (const [j, value] of symbols.entries()) expect(Math.abs(value - alone[i]!.symbols[j]!)).toBeLessThan(1e-3);
    }
  }, 240_000);
});
