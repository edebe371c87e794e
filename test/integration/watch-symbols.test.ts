import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeSymbols } from '../../shared/codec/symbols.js';
import { ChannelEmulatorService, type WatchSymbolsResponse } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { SymbolFormat, type SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import type { ServerHandle } from '../../shared/rpc/server.js';
import { scrape } from '../telemetry/exposition-parse.js';
import {
  type EmulatorProcess,
  frameOf,
  smallHeap,
  startEmulator,
  startEmulatorIn,
  startReceiver,
  startSender,
  until,
} from './channel.fixture.js';
import { residentBytes } from './link.fixture.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const arrived = new Map<string, SymbolFrame>();
let receiver: ServerHandle;
let emulator: EmulatorProcess;
beforeAll(async () => {
  receiver = await startReceiver((frame) => arrived.set(`${frame.header!.linkId}/${frame.header!.sequence}`, frame));
  emulator = await startEmulator(receiver.address, '--seed', '7', '--channel-model', 'rayleigh-block');
});
afterAll(async () => {
  expect(await emulator?.stop()).toBe(0);
  await receiver?.drain();
});

function sender(address = emulator.address) {
  const one = startSender(address);
  cleanups.push(one.close);
  return one;
}

type Request = { linkId?: string; maxFramesPerSecond?: number };

/** A watcher that has been let in. */
async function watcher(request: Request, on: EmulatorProcess = emulator) {
  const client = createRpcClient(ChannelEmulatorService, { address: on.address });
  cleanups.push(() => client.close());
  const watching = async () => (await scrape(`http://${on.metricsAddress}`)).value('semlink_symbol_watchers')!;
  const before = await watching();
  const call = client.watchSymbols(request);
  const samples: WatchSymbolsResponse[] = [];
  call.on('data', (sample: WatchSymbolsResponse) => samples.push(sample));
  const ended = new Promise<Error>((resolve) => call.on('error', resolve));
  cleanups.push(() => call.cancel());
  await until(async () => (await watching()) > before);
  return { call, samples, ended, watching };
}

const symbolsOf = (iq: Uint8Array) =>
  decodeSymbols({ format: SymbolFormat.FC32, channelUses: iq.length / 8, sc16Scale: 0, iq });

describe('WatchSymbols', () => {
  it('shows symbols as they were sent and as the receiver got them, of one link', async () => {
    const { ask } = sender();
    const { samples, call, watching } = await watcher({ linkId: 'seen', maxFramesPerSecond: 1000 });
    for (let i = 0; i < 5; i++) {
      await ask(frameOf('unseen', i, 16));
      await ask(frameOf('seen', i, 16));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await until(() => samples.length === 5);
    for (const [i, sample] of samples.entries()) {
      const frame = arrived.get(`seen/${i}`)!;
      expect(sample).toMatchObject({
        linkId: 'seen',
        sequence: BigInt(i),
        channelUses: 16,
        skipped: 0n,
        erased: false,
      });
      expect(symbolsOf(sample.sent)).toEqual(symbolsOf(frameOf('seen', i, 16).iq));
      expect(symbolsOf(sample.received)).toEqual(symbolsOf(frame.iq));
      const { model, snrDb, noisePower, gains, blockSymbols } = frame.channel!;
      expect(sample).toMatchObject({ channelModel: model, snrDb, gains, blockSymbols });
      expect(Math.fround(sample.noisePower)).toBe(noisePower);
    }
    call.cancel();
    await until(async () => (await watching()) === 0);
  });

  it('samples, and says how many frames it left out', async () => {
    const { ask } = sender();
    const { samples } = await watcher({ maxFramesPerSecond: 0.01 });
    for (let i = 0; i < 20; i++) await ask(frameOf('sampled', i));
    expect(samples).toHaveLength(1);
    expect(samples[0]!.sequence).toBe(0n);
  });

  it('is refused with a sentence', async () => {
    const client = createRpcClient(ChannelEmulatorService, { address: emulator.address });
    cleanups.push(() => client.close());
    const sentence = (request: Request) =>
      new Promise<string>((resolve) =>
        client
          .watchSymbols(request)
          .on('error', (error) => resolve((error as Error & { details: string }).details))
          .resume(),
      );
    const range = 'use a number over 0 to 1000';
    expect(await sentence({ maxFramesPerSecond: 5000 })).toBe(`max_frames_per_second is 5000; ${range}`);
    expect(await sentence({ maxFramesPerSecond: -1 })).toBe(`max_frames_per_second is -1; ${range}`);
    expect(await sentence({ maxFramesPerSecond: Number.NaN })).toBe(`max_frames_per_second is NaN; ${range}`);
    expect(await sentence({ linkId: 'a b' })).toContain('link_id is "a b"');
  });

  it('keeps nothing for a watcher that does not read', async () => {
    const other = await startEmulatorIn(smallHeap, receiver.address);
    cleanups.push(() => other.stop());
    const { stream, ask, results } = sender(other.address);
    const { call, samples } = await watcher({ maxFramesPerSecond: 1000 }, other);
    call.pause();
    let sequence = 0;
    /** Sends so many frames of 8 KB, and waits for their answers. */
    const pass = async (count: number): Promise<void> => {
      results.clear();
      for (let i = 0; i < count; i++) {
        await stream.send(frameOf('slow', sequence, 1024), `${sequence++}`);
        if (i % 32 === 31) await until(() => results.size === i + 1, 30_000);
      }
    };
    await pass(3_200);
    const before = await residentBytes(other.process.pid!);
    await pass(3_200);
    const after = await residentBytes(other.process.pid!);
    // 16 KB of each of these frames, kept, would be 50 MB.
    if (before && after) expect(after - before).toBeLessThan(16 * 1024 * 1024);
    expect((await ask(frameOf('undisturbed', 0))).outcome.case).toBe('classification');
    call.resume();
    await until(async () => {
      await ask(frameOf('slow', sequence++, 1024));
      return samples.some(({ skipped }) => skipped > 1_000n);
    }, 60_000);
  }, 120_000);

  it('ends with a sentence when the emulator stops', async () => {
    const other = await startEmulator(receiver.address);
    const { ended } = await watcher({}, other);
    const stopped = other.stop();
    expect(await ended).toMatchObject({ details: 'the channel-emulator is stopping; watch again' });
    expect(await stopped).toBe(0);
  });
});
