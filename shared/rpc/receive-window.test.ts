import { connect as connectHttp2, type Settings } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ReceiveRequestSchema,
  type ReceiveResponse,
  ReceiveResponseSchema,
  ReceiverDecoderService,
} from '../gen/semlink/v1/receiver_decoder_pb.js';
import { createRpcClient } from './client.js';
import { resultFor, startReceiver, symbolFrame } from './hop.fixture.js';
import { RECEIVE_WINDOW_BYTES } from './receive-window.js';

const HTTP2_OWN = 65_535;
const ONE_WAY_MS = 20;
const MESSAGE_BYTES = 900_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(receiveWindowBytes?: number) {
  const server = await startReceiver(
    (call) => {
      call.on('data', ({ frames }) => call.write(create(ReceiveResponseSchema, { results: frames.map(resultFor) })));
      call.on('end', () => call.end());
    },
    { drainLimitMs: 100, ...(receiveWindowBytes && { receiveWindowBytes }) },
  );
  cleanups.push(() => server.drain());
  return server;
}

/** A long line: every byte arrives `ONE_WAY_MS` after it was sent, in order. */
async function longLine(port: number): Promise<number> {
  const sockets = new Set<Socket>();
  const later = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.on('data', (bytes) => setTimeout(() => to.write(bytes), ONE_WAY_MS));
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  };
  const line = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    later(near, far);
    later(far, near);
  });
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    line.close();
  });
  return (line.address() as AddressInfo).port;
}

/** Milliseconds until a large message over a long line is answered, once the connection stands. */
async function answerMs(receiveWindowBytes?: number): Promise<number> {
  const server = await start(receiveWindowBytes);
  const port = await longLine(server.port);
  const client = createRpcClient(ReceiverDecoderService, { address: `127.0.0.1:${port}` });
  cleanups.push(() => client.close());
  const call = client.receive();
  cleanups.push(() => call.cancel());
  call.on('error', () => {});
  const answers: ((response: ReceiveResponse) => void)[] = [];
  call.on('data', (response) => answers.shift()!(response));
  const send = (bytes: number) => {
    const answer = new Promise<ReceiveResponse>((resolve) => answers.push(resolve));
    call.write(create(ReceiveRequestSchema, { frames: [symbolFrame(answers.length, { bytes })] }));
    return answer;
  };
  await send(8);
  const began = performance.now();
  expect((await send(MESSAGE_BYTES)).results).toHaveLength(1);
  return performance.now() - began;
}

describe('the receive window of a server', () => {
  it('is what its settings promise a peer', async () => {
    const { port } = await start();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    cleanups.push(() => session.destroy());
    const settings = await new Promise<Settings>((resolve) => session.once('remoteSettings', resolve));
    expect(settings.initialWindowSize).toBe(RECEIVE_WINDOW_BYTES);
  });

  it('lets a message over a long line through in few round trips', { timeout: 60_000 }, async () => {
    const narrow = await answerMs(HTTP2_OWN);
    // Half a window is given back at a time, so a round trip carries no more than one.
    const roundTrips = Math.floor(MESSAGE_BYTES / HTTP2_OWN);
    expect(narrow).toBeGreaterThan(roundTrips * 2 * ONE_WAY_MS * 0.9);
    expect(await answerMs()).toBeLessThan(narrow / 2);
  });
});
