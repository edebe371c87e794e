/** The model `external` over real processes: emulator, outside process, and a receiver in this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import type { ExternalSettings } from '../../shared/channel/external.js';
import { readSigmfMeta, readSigmfSamples, traceOfRecording } from '../../shared/channel/sigmf-file.js';
import { decodeSymbols, encodeSymbols } from '../../shared/codec/symbols.js';
import {
  ChannelEmulatorService,
  ExternalForm,
  PropagateRequestSchema,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import {
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
import { freeExternal, type Peer, startPeer } from './peer.fixture.js';

const arrived: SymbolFrame[] = [];
let receiver: ServerHandle;
let emulator: ServiceProcess;
let external: ExternalSettings;
let peer: Peer;
let folder: string;
const log: string[] = [];

beforeAll(async () => {
  const service = implementService(ReceiverDecoderService, {
    receive: (call) => {
      serveFrameStream(call, {
        origin: 'receiver-decoder',
        framesOf: ({ frames }) => frames,
        toResponse: (parts) => create(ReceiveResponseSchema, parts),
        bytesOf: ({ iq }) => iq.length,
        onFrames: (frames, stream) => {
          for (const frame of frames) {
            arrived.push(frame);
            stream.answer(
              create(FrameResultSchema, {
                ...resultFields(frame.header),
                outcome: { case: 'classification', value: { label: 1 } },
              }),
            );
          }
        },
      });
    },
  });
  receiver = await startServer({ role: 'receiver-decoder', listen: '127.0.0.1:0', services: [service] });
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-external-'));
  external = await freeExternal('req-rep');
  peer = await startPeer(external);
  const free = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--receiver', receiver.address];
  emulator = await startServiceProcess(
    'channel-emulator',
    [...free, '--record-folder', folder, '--record-side', 'both', '--channel-snr-db', '20'],
    { onLog: (line) => log.push(line) },
  );
});
afterAll(async () => {
  await emulator?.stop();
  await peer?.kill();
  await receiver?.drain();
  await rm(folder, { recursive: true });
});

function frameOf(linkId: string, sequence: number, k = 16): SymbolFrame {
  const symbols = Float32Array.from({ length: 2 * k }, (_, i) => Math.sin(sequence * 31 + i));
  const { iq } = encodeSymbols(SymbolFormat.FC32, symbols);
  const header = { linkId, sequence: BigInt(sequence), captureTimeUnixNano: 1n };
  return create(SymbolFrameSchema, { header, format: SymbolFormat.FC32, channelUses: k, iq });
}

function open() {
  const client = createRpcClient(ChannelEmulatorService, { address: emulator.address });
  const results = new Map<string, FrameResult>();
  const order: string[] = [];
  const stream = new FrameStreamClient({
    peer: { role: 'channel-emulator', address: emulator.address },
    origin: 'test',
    open: () => client.propagate(),
    toRequest: (frames: SymbolFrame[]) => create(PropagateRequestSchema, { frames }),
    bytesOf: ({ iq }) => iq.length,
    onResult: (result, key: string) => {
      results.set(key, result);
      order.push(key);
    },
  });
  return {
    client,
    order,
    send: async (linkId: string, sequence: number, k?: number) => {
      await stream.send(frameOf(linkId, sequence, k), `${linkId}/${sequence}`);
    },
    answer: async (linkId: string, sequence: number): Promise<FrameResult['outcome']> => {
      for (;;) {
        const result = results.get(`${linkId}/${sequence}`);
        if (result) return result.outcome;
        await new Promise((go) => setTimeout(go, 2));
      }
    },
    close: async () => {
      await stream.close();
      client.close();
    },
  };
}

const awgn = { case: 'awgn' as const, value: {} };
const forms = { 'push-pull': ExternalForm.PUSH_PULL, 'req-rep': ExternalForm.REQ_REP, srsran: ExternalForm.SRSRAN };

function channel(change: { pilotSymbols?: number } = {}) {
  const { form, ...rest } = external;
  return { snrDb: 15, model: { case: 'external' as const, value: { ...rest, form: forms[form], ...change } } };
}

describe('a link whose channel is an outside process', () => {
  it('is set while it runs, keeps its order, and gives what came back', async () => {
    const { client, send, answer, close } = open();
    await client.setChannel({ linkId: 'out', channel: channel() });
    await expect(client.getChannel({ linkId: 'out' })).resolves.toMatchObject({
      channel: { snrDb: 15, model: { case: 'external', value: { send: external.send, multipleSymbols: 1 } } },
    });
    arrived.length = 0;
    for (let sequence = 0; sequence < 300; sequence++) {
      await send('out', sequence, 1 + (sequence % 40));
      // From here on another model: those frames must not overtake the ones outside.
      if (sequence === 200) await answer('out', 100);
    }
    await answer('out', 299);
    await client.setChannel({ linkId: 'out', channel: { snrDb: 20, model: awgn } });
    await send('out', 300);
    await answer('out', 300);
    expect(arrived.map(({ header }) => Number(header!.sequence))).toEqual(Array.from({ length: 301 }, (_, i) => i));
    let position = 0n;
    for (const frame of arrived.slice(0, 300)) {
      expect(frame.channel).toMatchObject({ model: 'external', snrDb: 15, gains: [1, 0], position });
      const sent = decodeSymbols(frameOf('out', Number(frame.header!.sequence), frame.channelUses));
      for (const [i, value] of decodeSymbols(frame).entries()) {
        const wanted = i % 2 === 0 ? 0.6 * sent[i]! - 0.8 * sent[i + 1]! : 0.6 * sent[i]! + 0.8 * sent[i - 1]!;
        expect(value).toBeCloseTo(wanted, 5);
      }
      position += BigInt(frame.channelUses);
    }
    await close();
  });

  it('tells the receiver the gain that pilots show', async () => {
    const { client, send, answer, close } = open();
    await client.setChannel({ linkId: 'pilots', channel: channel({ pilotSymbols: 8 }) });
    arrived.length = 0;
    await send('pilots', 1);
    await answer('pilots', 1);
    const { gains, noisePower } = arrived[0]!.channel!;
    expect(gains[0]).toBeCloseTo(0.6, 5);
    expect(gains[1]).toBeCloseTo(0.8, 5);
    expect(noisePower).toBeLessThan(1e-10);
    await close();
  });

  it('fails frame by frame while the process is wrong or away; other links do not notice', async () => {
    const { client, send, answer, close, order } = open();
    await client.setChannel({ linkId: 'sick', channel: channel() });
    await client.setChannel({ linkId: 'well', channel: { snrDb: 20, model: awgn } });
    await send('sick', 0);
    expect((await answer('sick', 0)).case).toBe('classification');
    await peer.tell('lose 3');
    order.length = 0;
    for (let sequence = 1; sequence <= 5; sequence++) {
      await send('sick', sequence);
      await send('well', sequence);
    }
    for (let sequence = 1; sequence <= 5; sequence++) {
      expect((await answer('well', sequence)).case).toBe('classification');
    }
    // The other link was answered while the process was waited for.
    expect(order.slice(0, 5).sort()).toEqual([1, 2, 3, 4, 5].map((sequence) => `well/${sequence}`));
    // The process lost three symbols once: one frame has too few, whichever it was that went with them.
    const sick = await Promise.all([1, 2, 3, 4, 5].map((sequence) => answer('sick', sequence)));
    const short = sick.filter((outcome) => outcome.case === 'error');
    expect(short).toMatchObject([{ case: 'error', value: { code: Code.DATA_LOSS, origin: 'channel-emulator' } }]);
    expect(sick.filter((outcome) => outcome.case === 'classification')).toHaveLength(4);
    await send('sick', 6);
    expect((await answer('sick', 6)).case).toBe('classification');

    await peer.kill();
    for (let sequence = 7; sequence < 60; sequence++) {
      await send('sick', sequence);
      await send('well', sequence);
    }
    expect(await answer('sick', 59)).toMatchObject({
      case: 'error',
      value: { code: Code.UNAVAILABLE, message: expect.stringMatching(/the external process \(req-rep.*start it/) },
    });
    expect((await answer('well', 59)).case).toBe('classification');

    peer = await startPeer(external);
    let sequence = 60;
    do {
      await send('sick', sequence);
    } while ((await answer('sick', sequence++)).case === 'error' && sequence < 5_000);
    expect(sequence).toBeLessThan(5_000);
    await send('sick', 5_001);
    expect((await answer('sick', 5_001)).case).toBe('classification');
    expect(log.join('\n')).toMatch(/answered short/);
    await close();
  });

  it('refuses addresses and numbers that cannot be', async () => {
    const { client, close } = open();
    const refused = (value: object, message: RegExp) =>
      expect(
        client.setChannel({ linkId: 'x', channel: { snrDb: 1, model: { case: 'external', value } } }),
      ).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT, message: expect.stringMatching(message) });
    await refused({ send: 'localhost:5' }, /external.send is "localhost:5"; use a ZeroMQ address such as tcp/);
    await refused({ receive: 'tcp://*:5' }, /external.receive is "tcp:\/\/\*:5"; use a ZeroMQ address/);
    await refused({ send: 'tcp://a:1', receive: 'tcp://a:1' }, /give the way back its own address/);
    await refused({ timeoutMs: 700_000 }, /external.timeout_ms is 700000; use a whole number of 1 to 600000/);
    await refused({ form: 9 }, /channel.external.form is 9; choose PUSH_PULL, REQ_REP or SRSRAN/);
    await close();
  });
});

describe('the recording of what went before', () => {
  it('is whole SigMF when the emulator has stopped, and a trace of each link', async () => {
    expect(await emulator.stop()).toBe(0);
    const file = path.join(folder, 'air-000000-received');
    const meta = await readSigmfMeta(file);
    const sentMeta = await readSigmfMeta(path.join(folder, 'air-000000-sent'));
    expect(sentMeta.annotations).toEqual(meta.annotations);
    const frames = meta.annotations.filter((frame) => frame['semlink:link'] === 'out');
    expect(frames).toHaveLength(301);
    const { 'core:sample_start': start, 'core:sample_count': count } = frames[17]!;
    const sent = await readSigmfSamples(path.join(folder, 'air-000000-sent'), sentMeta, start, count);
    expect(sent).toEqual(decodeSymbols(frameOf('out', 17, count)));
    const trace = traceOfRecording(meta, 'pilots');
    expect(trace.values[0]).toBeCloseTo(0.6, 5);
  });

  it('is replayed by the model trace', async () => {
    const recording = `${path.join(folder, 'air-000000-received.sigmf-meta')}#pilots`;
    const replay = ['--channel-model', 'trace', '--channel-trace-file', recording, '--channel-snr-db', '30'];
    const free = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--receiver', receiver.address];
    emulator = await startServiceProcess('channel-emulator', [...free, ...replay], { onLog: (line) => log.push(line) });
    const { send, answer, close } = open();
    arrived.length = 0;
    await send('again', 1);
    await answer('again', 1);
    const { model, gains } = arrived[0]!.channel!;
    expect(model).toBe('trace');
    expect(gains[0]).toBeCloseTo(0.6, 5);
    expect(gains[1]).toBeCloseTo(0.8, 5);
    await close();
  });
});
