import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { compiledModule } from '../../shared/build/compiled.js';
import { type ChannelSettings, createChannelModel } from '../../shared/channel/channel-config.js';
import { LinkRandom } from '../../shared/channel/link-random.js';
import { decodeSymbols, encodeSymbols } from '../../shared/codec/symbols.js';
import { ChannelEmulatorService, PropagateRequestSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import {
  ChannelStateFeedbackSchema,
  type FrameResult,
  FrameResultSchema,
  SymbolFormat,
  type SymbolFrame,
  SymbolFrameSchema,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import { ReceiveResponseSchema, ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { Code } from '../../shared/rpc/errors.js';
import { resultFields } from '../../shared/rpc/frame-result.js';
import { FrameStreamClient } from '../../shared/rpc/frame-stream-client.js';
import { serveFrameStream } from '../../shared/rpc/frame-stream-server.js';
import { type ServerHandle, startServer } from '../../shared/rpc/server.js';
import { SPANS } from '../../shared/telemetry/index.js';
import { startOtlpReceiver } from '../telemetry/otlp-receiver.js';
import { ownLoopback } from './own-loopback.fixture.js';

const seed = 2025;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A receiver in this process that keeps what it receives; with feedback for every frame. */
async function startReceiver(listen = ownLoopback, onFrame = (_: SymbolFrame) => {}): Promise<ServerHandle> {
  const service = implementService(ReceiverDecoderService, {
    receive: (call) => {
      serveFrameStream(call, {
        origin: 'receiver-decoder',
        framesOf: ({ frames }) => frames,
        toResponse: (parts) => create(ReceiveResponseSchema, parts),
        bytesOf: ({ iq }) => iq.length,
        onFrames: (frames, stream) => {
          for (const frame of frames) {
            onFrame(frame);
            const { linkId } = frame.header!;
            const { measuredTimeUnixNano, snrDb } = frame.channel!;
            stream.feedback(create(ChannelStateFeedbackSchema, { linkId, snrDb, measuredTimeUnixNano }));
            stream.answer(
              create(FrameResultSchema, {
                ...resultFields(frame.header),
                outcome: { case: 'classification', value: { label: 1 } },
                channelUses: frame.channelUses,
                ...(frame.timings && { timings: frame.timings }),
              }),
            );
          }
        },
      });
    },
  });
  return startServer({ role: 'receiver-decoder', listen, services: [service], drainLimitMs: 500 });
}

async function startEmulator(receiver: string, ...flags: string[]): Promise<ServiceProcess & { log: string[] }> {
  const log: string[] = [];
  const emulator = await startServiceProcess(
    'channel-emulator',
    [
      '--listen',
      '127.0.0.1:0',
      '--metrics-listen',
      '127.0.0.1:0',
      '--receiver',
      receiver,
      '--seed',
      `${seed}`,
      ...flags,
    ],
    { onLog: (line) => log.push(line) },
  );
  return { ...emulator, log };
}

/** k symbols 1 + 0j in a frame. */
function frameOf(
  sequence: number,
  { linkId = 'a', k = 8, format = SymbolFormat.FC32, traceparent = '' } = {},
): SymbolFrame {
  const { iq, scale } = encodeSymbols(
    format,
    Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2)),
  );
  return create(SymbolFrameSchema, {
    header: { linkId, sequence: BigInt(sequence), captureTimeUnixNano: BigInt(Date.now()) * 1_000_000n, traceparent },
    format,
    channelUses: k,
    sc16Scale: scale,
    iq,
  });
}

/** Sends over one stream to the emulator and keeps the results, each of which must be the only one of its frame. */
function sender(address: string) {
  const client = createRpcClient(ChannelEmulatorService, { address });
  const results = new Map<string, FrameResult>();
  const feedback: number[] = [];
  const stream = new FrameStreamClient({
    peer: { role: 'channel-emulator', address },
    origin: 'test',
    open: () => client.propagate(),
    toRequest: (frames: SymbolFrame[]) => create(PropagateRequestSchema, { frames }),
    bytesOf: ({ iq }) => iq.length,
    onResult: (result, key: string) => {
      if (results.has(key)) throw new Error(`${key} was answered twice`);
      results.set(key, result);
    },
    onFeedback: (all) => feedback.push(...all.map(({ snrDb }) => snrDb)),
    windowBytes: 64 * 1024,
    reconnectWaitMs: 500,
  });
  cleanups.push(() => {
    stream.cancel();
    client.close();
  });
  const keyOf = ({ header }: SymbolFrame) => `${header!.linkId}/${header!.sequence}`;
  return {
    client,
    results,
    feedback,
    stream,
    send: async (frame: SymbolFrame) => stream.send(frame, keyOf(frame)),
    /** Sends a frame and waits for its answer. */
    ask: async (frame: SymbolFrame): Promise<FrameResult> => {
      await stream.send(frame, keyOf(frame));
      await until(() => results.has(keyOf(frame)));
      return results.get(keyOf(frame))!;
    },
  };
}

async function until(test: () => boolean, limitMs = 10_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!test()) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${test}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const errorOf = ({ outcome }: FrameResult) => (outcome.case === 'error' ? outcome.value : undefined);

/** What the air must have done to ones, by the project's own models. */
function expectedOnes(settings: ChannelSettings, linkId: string, position: number, k: number) {
  const symbols = Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));
  const random = new LinkRandom(BigInt(seed), linkId);
  return { effect: createChannelModel(settings).apply(symbols, { random, position }, symbols), symbols };
}

describe('the channel-emulator with a receiver', () => {
  const arrived: SymbolFrame[] = [];
  let receiver: ServerHandle;
  let emulator: ServiceProcess & { log: string[] };
  beforeAll(async () => {
    receiver = await startReceiver('127.0.0.1:0', (frame) => arrived.push(frame));
    emulator = await startEmulator(receiver.address, '--channel-snr-db', '7');
  });
  afterAll(async () => {
    expect(await emulator?.stop()).toBe(0);
    await receiver?.drain();
  });

  it('does to every symbol what seed, link and position say, however frames are batched', async () => {
    const channels: Record<string, ChannelSettings> = {
      'awgn-link': { model: 'awgn', snrDb: 7 },
      'fading-link': { model: 'rayleigh-block', snrDb: 3, coherenceSymbols: 10 },
    };
    const { client, send, results, feedback } = sender(emulator.address);
    await client.setChannel({
      linkId: 'fading-link',
      channel: { snrDb: 3, model: { case: 'rayleighBlock', value: { coherenceSymbols: 10 } } },
    });
    arrived.length = 0;
    const sizes = fc.sample(fc.integer({ min: 1, max: 32 }), { numRuns: 400, seed: 1 });
    for (const [sequence, k] of sizes.entries()) {
      await send(frameOf(sequence, { linkId: sequence % 3 === 0 ? 'fading-link' : 'awgn-link', k }));
      if (sequence % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await until(() => results.size === sizes.length);
    const positions: Record<string, number> = { 'awgn-link': 0, 'fading-link': 0 };
    const sequences: Record<string, bigint> = { 'awgn-link': -1n, 'fading-link': -1n };
    for (const frame of arrived) {
      const { linkId, sequence } = frame.header!;
      expect(sequence).toBeGreaterThan(sequences[linkId]!);
      sequences[linkId] = sequence;
      const { effect, symbols } = expectedOnes(channels[linkId]!, linkId, positions[linkId]!, frame.channelUses);
      expect(decodeSymbols(frame)).toEqual(symbols);
      expect(frame.channel).toMatchObject({
        model: channels[linkId]!.model,
        snrDb: channels[linkId]!.snrDb,
        noisePower: effect.noisePower,
        gains: effect.gains,
        blockSymbols: effect.blockSymbols,
        position: BigInt(positions[linkId]!),
      });
      expect(Number(frame.timings!.channelNanos)).toBeGreaterThan(0);
      expect(Math.abs(Number(frame.channel!.measuredTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(60_000);
      positions[linkId]! += frame.channelUses;
    }
    expect(new Set(feedback)).toEqual(new Set([3, 7]));
    await expect(client.getChannel({ linkId: 'fading-link' })).resolves.toMatchObject({
      seed: BigInt(seed),
      position: BigInt(positions['fading-link']!),
      channel: { snrDb: 3, model: { case: 'rayleighBlock', value: { coherenceSymbols: 10 } } },
    });
  });

  it('keeps SC16 as SC16', async () => {
    arrived.length = 0;
    await sender(emulator.address).ask(frameOf(1, { linkId: 'sc16', format: SymbolFormat.SC16, k: 16 }));
    const frame = arrived[0]!;
    expect(frame.format).toBe(SymbolFormat.SC16);
    expect(frame.iq.length).toBe(64);
    const { symbols } = expectedOnes({ model: 'awgn', snrDb: 7 }, 'sc16', 0, 16);
    for (const [i, value] of decodeSymbols(frame).entries()) expect(Math.abs(value - symbols[i]!)).toBeLessThan(2e-4);
  });

  it('answers what is wrong with a frame inside the stream, and its link stays where it was', async () => {
    const { ask, client } = sender(emulator.address);
    const good = await ask(frameOf(0, { linkId: 'careful', k: 4 }));
    expect(good.outcome.case).toBe('classification');
    const broken: [Partial<SymbolFrame>, RegExp][] = [
      [{ channelUses: 5 }, /^length of iq is "32 bytes"; 5 FC32 symbols take 40$/],
      [{ channelUses: 0, iq: new Uint8Array(0) }, /^channel_uses is 0; use 1 to 65536$/],
      [{ format: SymbolFormat.UNSPECIFIED }, /^symbol format is "UNSPECIFIED"; use SYMBOL_FORMAT_SC16/],
      [{ format: 99 as SymbolFormat }, /^symbol format is 99; use SYMBOL_FORMAT_SC16/],
      [{ format: SymbolFormat.SC16, iq: new Uint8Array(16), sc16Scale: 0 }, /^sc16_scale is 0; SC16 needs/],
      [{ iq: new Uint8Array(Float32Array.of(1, 0, 1, 0, Number.NaN, 0, 1, 0).buffer) }, /^I of symbol 2 is NaN;/],
    ];
    for (const [index, [change, message]] of broken.entries()) {
      const frame = Object.assign(frameOf(index + 1, { linkId: 'careful', k: 4 }), change);
      const error = errorOf(await ask(frame));
      expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, origin: 'channel-emulator' });
      expect(error!.message).toMatch(message);
    }
    await expect(client.getChannel({ linkId: 'careful' })).resolves.toMatchObject({ position: 4n });
    expect((await ask(frameOf(99, { linkId: 'careful' }))).outcome.case).toBe('classification');
  });

  it('refuses absurd channels with a sentence, and keeps the one that is set', async () => {
    const { client } = sender(emulator.address);
    const awgn = { case: 'awgn' as const, value: {} };
    const refused = (request: Parameters<typeof client.setChannel>[0], message: string) =>
      expect(client.setChannel(request)).rejects.toMatchObject({
        code: Code.INVALID_ARGUMENT,
        message: expect.stringContaining(message),
      });
    await refused(
      { channel: { snrDb: Number.NaN, model: awgn } },
      'snr_db is NaN; use an average Es/N0 of -40 to 60 dB',
    );
    await refused({ channel: { snrDb: 1e9, model: awgn } }, 'snr_db is 1000000000; use');
    await refused({ channel: { snrDb: 3 } }, 'channel.model is undefined; choose one of awgn, rayleigh_block');
    await refused({}, 'channel is undefined; set the channel');
    await refused({ linkId: 'no spaces', channel: { snrDb: 3, model: awgn } }, 'link_id is "no spaces"; use 1 to 64');
    await expect(client.getChannel({})).resolves.toMatchObject({ channel: { snrDb: 7, model: { case: 'awgn' } } });
  });

  it('ends a stream with an oversize message by RESOURCE_EXHAUSTED and both sizes', async () => {
    const { ask } = sender(emulator.address);
    const error = errorOf(await ask({ ...frameOf(1, { linkId: 'large' }), iq: new Uint8Array(5_000_000) }));
    expect(error?.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(error?.message).toMatch(/a message of 50\d+ bytes is over the limit of 4194304 bytes; send fewer frames/);
  });

  it('shows what it carried in its metrics', async () => {
    await sender(emulator.address).ask(frameOf(1, { linkId: 'metered', k: 16 }));
    const metrics = await (await fetch(`http://${emulator.metricsAddress}/metrics`)).text();
    expect(metrics).toMatch(/semlink_frames_total\{link="metered",outcome="result"\} 1/);
    expect(metrics).toMatch(/semlink_stage_seconds_count\{stage="channel"\} [1-9]/);
    expect((await fetch(`http://${emulator.metricsAddress}/readyz`)).status).toBe(200);
  });
});

/** The receiver of emulator-receiver.ts. */
async function startReceiverProcess(
  listen = ownLoopback,
  delayMs = 5,
): Promise<{ child: ChildProcess; address: string }> {
  const main = fileURLToPath(compiledModule('test/integration/emulator-receiver.ts'));
  const child = spawn(process.execPath, [main, listen, `${delayMs}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanups.push(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, address: line.toString().trim() };
}

describe('the channel-emulator and a receiver that fails', () => {
  it('answers UNAVAILABLE with its address while it is down, on the same stream, and works again when it is back', async () => {
    const first = await startReceiver();
    await first.drain();
    const emulator = await startEmulator(first.address, '--reconnect-wait-ms', '200');
    cleanups.push(() => emulator.stop());
    const { ask, stream, send, results } = sender(emulator.address);
    const answer = await ask(frameOf(0));
    expect(errorOf(answer)).toMatchObject({
      code: Code.UNAVAILABLE,
      origin: 'channel-emulator',
      message: `receiver-decoder at ${first.address} is not reachable (connect ECONNREFUSED ${first.address}); check that it runs there`,
    });
    // It was on the air all the same.
    expect(answer).toMatchObject({ channelUses: 8, snrDb: 10, channelModel: 'awgn', payloadBytes: 64 });
    for (let sequence = 1; sequence <= 500; sequence++) await send(frameOf(sequence));
    await until(() => results.size === 501);
    expect([...results.values()].every((result) => errorOf(result)?.code === Code.UNAVAILABLE)).toBe(true);
    const second = await startReceiver(first.address);
    cleanups.push(() => second.drain());
    let sequence = 1_000;
    for (;;) if ((await ask(frameOf(sequence++))).outcome.case === 'classification' || sequence > 1_500) break;
    expect((await ask(frameOf(2_000))).outcome.case).toBe('classification');
    expect(stream.streamsOpened).toBe(1);
  });

  it('accounts for every frame when the receiver is killed in the middle and comes back', async () => {
    const { child, address } = await startReceiverProcess();
    const emulator = await startEmulator(address, '--reconnect-wait-ms', '5000');
    cleanups.push(() => emulator.stop());
    const { send, results, stream } = sender(emulator.address);
    const total = 3_000;
    let restarted: Promise<unknown> | undefined;
    for (let sequence = 0; sequence < total; sequence++) {
      await send(frameOf(sequence));
      if (sequence === 1_000) {
        child.kill('SIGKILL');
        await once(child, 'exit');
        // Not awaited: meanwhile the window fills and sending waits.
        restarted = startReceiverProcess(address);
      }
    }
    await restarted;
    await stream.close();
    expect(results.size).toBe(total);
    const errors = [...results.values()].map(errorOf).filter((error) => error !== undefined);
    // What was with the receiver when it died is lost by name; the rest waited for its return.
    expect(errors.length).toBeLessThan(400);
    for (const error of errors) {
      expect(error).toMatchObject({ code: Code.UNAVAILABLE, origin: 'channel-emulator' });
      expect(error.message).toMatch(/^the stream to receiver-decoder at .* broke before the answer .*; send again$/);
    }
    expect(errorOf(results.get(`a/${total - 1}`)!)).toBeUndefined();
  });

  it('drains on SIGTERM: every frame is answered, the exit is 0', async () => {
    const { address } = await startReceiverProcess();
    const emulator = await startEmulator(address);
    const { send, results, stream } = sender(emulator.address);
    let stopped: Promise<number | string> | undefined;
    let refused = 0;
    for (let sequence = 0; sequence < 1_500; sequence++) {
      await send(frameOf(sequence));
      if (sequence === 500) stopped = emulator.stop();
    }
    await expect(stopped).resolves.toBe(0);
    await stream.close();
    expect(results.size).toBe(1_500);
    for (const result of results.values()) {
      const error = errorOf(result);
      if (!error) continue;
      refused++;
      expect(error).toMatchObject({ code: Code.UNAVAILABLE, origin: 'test' });
      expect(error.message).toContain(`channel-emulator at ${emulator.address} is not reachable`);
    }
    expect(refused).toBeLessThan(1_000);
    expect(emulator.log.join('\n')).toContain('drained');
  });
});

describe('stopping the channel-emulator', () => {
  it('cuts off what does not end within the drain limit, by name, and the exit says so', async () => {
    const { address } = await startReceiverProcess('127.0.0.1:0', 60_000);
    const emulator = await startEmulator(address, '--drain-limit-ms', '300');
    const { send, results, stream } = sender(emulator.address);
    await send(frameOf(1));
    await until(() => stream.streamsOpened === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await emulator.stop()).toBe(1);
    await until(() => results.size === 1);
    const error = errorOf([...results.values()][0]!);
    expect(error).toMatchObject({ code: Code.UNAVAILABLE, origin: 'test' });
    expect(error?.message).toContain('channel-emulator has stopped; this did not end within its drain limit of 300 ms');
  });

  it('leaves at once on a second signal', async () => {
    const { address } = await startReceiverProcess('127.0.0.1:0', 60_000);
    const emulator = await startEmulator(address, '--drain-limit-ms', '60000');
    const { send, stream } = sender(emulator.address);
    await send(frameOf(1));
    await until(() => stream.streamsOpened === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    emulator.process.kill('SIGTERM');
    await until(() => emulator.log.some((line) => line.includes('SIGTERM: draining')));
    emulator.process.kill('SIGTERM');
    expect(await emulator.ended).toBe(143);
  });
});

describe('a sampled frame', () => {
  it('leaves a span of the emulator under the context it came with, and goes on unchanged', async () => {
    const collector = await startOtlpReceiver();
    cleanups.push(() => collector.close());
    const arrived: SymbolFrame[] = [];
    const receiver = await startReceiver('127.0.0.1:0', (frame) => arrived.push(frame));
    cleanups.push(() => receiver.drain());
    const emulator = await startEmulator(receiver.address, '--trace-otlp-endpoint', collector.httpEndpoint);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const { ask } = sender(emulator.address);
    await ask(frameOf(1, { linkId: 'traced', traceparent: `00-${traceId}-b7ad6b7169203331-01` }));
    await ask(frameOf(2, { linkId: 'traced' }));
    await emulator.stop();
    const spans = collector.trace(traceId);
    expect(spans).toMatchObject([{ name: SPANS.propagate, parentSpanId: 'b7ad6b7169203331' }]);
    expect(arrived[0]!.header!.traceparent).toBe(`00-${traceId}-b7ad6b7169203331-01`);
    expect(arrived[1]!.header!.traceparent).toBe('');
  });
});

describe('starting the channel-emulator', () => {
  it('ends with one sentence when its port is in use', async () => {
    const receiver = await startReceiver();
    cleanups.push(() => receiver.drain());
    const log: string[] = [];
    const started = startServiceProcess('channel-emulator', ['--listen', receiver.address, '--metrics-listen', 'off'], {
      onLog: (line) => log.push(line),
    });
    await expect(started).rejects.toThrow('channel-emulator ended before it served (1)');
    expect(log.at(-1)).toBe(
      `channel-emulator: channel-emulator cannot listen on ${receiver.address}: the port is in use; stop the process that has it, or choose another port`,
    );
  });

  it('names a setting out of range', async () => {
    const started = startServiceProcess('channel-emulator', ['--channel-snr-db', '1e9'], { onLog: () => {} });
    await expect(started).rejects.toThrow(/ended before it served \(2\).*channel-snr-db.*1e9/);
  });
});
