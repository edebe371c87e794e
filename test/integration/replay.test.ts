/** What one emulator recorded another one replays: both as processes, with all that lies between a sender and a receiver. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeSymbols, encodeSymbols } from '../../shared/codec/symbols.js';
import { SymbolFormat, type SymbolFrame, SymbolFrameSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { Code } from '../../shared/rpc/errors.js';
import type { ServerHandle } from '../../shared/rpc/server.js';
import { type EmulatorProcess, errorOf, startEmulator, startReceiver, startSender } from './channel.fixture.js';

const lengths = [16, 64, 3, 128, 64, 16, 7, 64];
const links = ['car', 'van'];
const formats = [SymbolFormat.FC32, SymbolFormat.SC16];
const key = ({ header }: SymbolFrame) => `${header!.linkId}/${header!.sequence}`;

/** Frame `i` of a link: its symbols follow from both, and from `salt`. */
function frame(
  linkId: string,
  i: number,
  { salt = 0, k = lengths[i % lengths.length]!, sequence = i } = {},
): SymbolFrame {
  const symbols = Float32Array.from({ length: 2 * k }, (_, j) => Math.sin(salt + 100 * i + 7 * j + linkId.length));
  const format = formats[i % 2]!;
  const { iq, scale } = encodeSymbols(format, symbols);
  const header = { linkId, sequence: BigInt(sequence), captureTimeUnixNano: 1n };
  return create(SymbolFrameSchema, { header, format, channelUses: k, iq, sc16Scale: scale });
}

let folder: string;
let receiver: ServerHandle;
const arrived = new Map<string, SymbolFrame>();
/** What arrived, and which frames the air lost, when the air was recorded. */
const recorded = new Map<string, SymbolFrame>();
const lost = new Set<string>();
const frames = links.flatMap((linkId) => lengths.map((_, i) => frame(linkId, i)));
let emulator: EmulatorProcess | undefined;
let sender: ReturnType<typeof startSender> | undefined;

async function start(...flags: string[]) {
  emulator = await startEmulator(receiver.address, ...flags);
  sender = startSender(emulator.address);
  return sender;
}

async function stop(): Promise<void> {
  sender?.close();
  if (emulator) expect(await emulator.stop()).toBe(0);
  emulator = undefined;
  arrived.clear();
}

const recording = (linkId: string) => `${path.join(folder, 'air-000000-received.sigmf-meta')}#${linkId}`;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-replay-'));
  receiver = await startReceiver((one) => arrived.set(key(one), one));
  const channel = ['--channel-model', 'rayleigh-block', '--channel-coherence-symbols', '24', '--channel-snr-db', '7'];
  const loss = ['--channel-loss', 'erasure', '--channel-loss-probability', '0.2'];
  // New files after a few frames: a replay has to go on in them.
  const record = ['--record-folder', folder, '--record-side', 'both', '--record-file-bytes', '4096'];
  const { ask } = await start('--seed', '5', ...channel, ...loss, ...record);
  for (const one of frames) {
    const error = errorOf(await ask(one));
    if (error) expect(error.code).toBe(Code.DATA_LOSS);
    if (error) lost.add(key(one));
  }
  for (const [name, one] of arrived) recorded.set(name, one);
  expect(lost.size).toBeGreaterThan(0);
  expect(recorded.size + lost.size).toBe(frames.length);
  await stop();
}, 60_000);
afterEach(stop);
afterAll(async () => {
  await receiver?.drain();
  await rm(folder, { recursive: true, force: true });
});

describe('replay', () => {
  it('of samples: the same frames arrive as the same bytes, and the same frames are lost, again and again', async () => {
    const { client, ask } = await start('--seed', '99');
    for (const linkId of links) {
      // The link has been somewhere before: the recording begins where it is.
      await ask(frame(linkId, 500, { k: 11 }));
      const patch = JSON.stringify({ channel: { model: 'replay', replay: { file: recording(linkId) } } });
      await client.setChannel({ linkId, patch });
    }
    for (const round of [0, 1]) {
      arrived.clear();
      for (const linkId of links) {
        for (const i of lengths.keys()) {
          // What is sent the second time is something else altogether; it does not matter.
          const one = frame(linkId, i, { salt: 1000 * round, sequence: 1000 * (round + 1) + i });
          const name = `${linkId}/${i}`;
          const error = errorOf(await ask(one));
          expect(error?.code).toBe(lost.has(name) ? Code.DATA_LOSS : undefined);
          if (error) continue;
          const [now, then] = [arrived.get(key(one))!, recorded.get(name)!];
          expect(Buffer.from(now.iq).equals(Buffer.from(then.iq)), name).toBe(true);
          expect(now.sc16Scale).toBe(then.sc16Scale);
          const { gains, blockSymbols, noisePower, snrDb } = then.channel!;
          expect(now.channel).toMatchObject({ model: 'replay', gains, blockSymbols, noisePower, snrDb });
        }
      }
    }
    const { settings } = await client.getChannel({ linkId: 'car' });
    expect(JSON.parse(settings).channel).toMatchObject({
      model: 'replay',
      replay: { file: recording('car'), mode: 'samples', loop: true, start: 11 },
    });
  }, 60_000);

  it('of the channel: the recorded gains and noise on other frames of other lengths', async () => {
    const flags = ['--channel-model', 'replay', '--channel-replay-mode', 'channel'];
    const { ask } = await start('--channel-replay-file', recording('car'), ...flags);
    const first = frames[0]!;
    const sameAgain = frame('bus', 0);
    await ask(sameAgain);
    const then = decodeSymbols(recorded.get(key(first))!);
    const now = decodeSymbols(arrived.get(key(sameAgain))!);
    for (const [i, value] of then.entries()) expect(now[i]).toBeCloseTo(value, 5);
    // Same noise under other symbols: the differences have gone through the recorded gains.
    const [a, b] = [frame('one', 0, { k: 9 }), frame('two', 0, { k: 9, salt: 5 })];
    await Promise.all([ask(a), ask(b)]);
    const sent = [a, b].map((one) => decodeSymbols(one));
    const [ya, yb] = [a, b].map((one) => decodeSymbols(arrived.get(key(one))!));
    const { gains, blockSymbols, noisePower } = arrived.get(key(a))!.channel!;
    expect(blockSymbols).toBe(9);
    expect(noisePower).toBeCloseTo(10 ** -0.7, 5);
    const [hRe, hIm] = gains as [number, number];
    for (let i = 0; i < 18; i += 2) {
      const [re, im] = [sent[0]![i]! - sent[1]![i]!, sent[0]![i + 1]! - sent[1]![i + 1]!];
      expect(ya![i]! - yb![i]!).toBeCloseTo(hRe * re - hIm * im, 4);
      expect(ya![i + 1]! - yb![i + 1]!).toBeCloseTo(hRe * im + hIm * re, 4);
    }
  }, 60_000);

  it('answers what cannot be replayed, and stays at its place', async () => {
    const { client, ask } = await start();
    const set = (replay: object, linkId = 'car') =>
      client.setChannel({ linkId, patch: JSON.stringify({ channel: { model: 'replay', replay } }) });
    await set({ file: recording('car'), loop: false });
    expect(errorOf(await ask(frame('car', 1, { sequence: 50 })))).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: expect.stringContaining('channel_uses is 64; frame 0 of the recording has 16: send frames as they were'),
    });
    for (const i of lengths.keys()) {
      const error = errorOf(await ask(frame('car', i)));
      expect(error?.code).toBe(lost.has(`car/${i}`) ? Code.DATA_LOSS : undefined);
    }
    expect(errorOf(await ask(frame('car', 0, { sequence: 60 })))).toMatchObject({
      code: Code.OUT_OF_RANGE,
      message: expect.stringContaining('0 are left of them; set it again to start over, or replay.loop=true'),
    });
    // Named again it begins anew; a bad one changes nothing, and no other link has noticed.
    await set({ file: recording('car') });
    await expect(set({ file: `${folder}/none.sigmf-meta` })).rejects.toMatchObject({ code: Code.NOT_FOUND });
    await expect(set({ file: recording('bike') })).rejects.toThrow('it has car, van');
    const error = errorOf(await ask(frame('car', 0, { sequence: 70 })));
    expect(error?.code).toBe(lost.has('car/0') ? Code.DATA_LOSS : undefined);
    expect(errorOf(await ask(frame('van', 3)))).toBeUndefined();
  }, 60_000);
});
