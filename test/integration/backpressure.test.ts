import { once } from 'node:events';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SemanticLink } from '../../shared/client/link.js';
import type { FrameResult } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  type TransmitRequest,
  TransmitRequestSchema,
  type TransmitResponse,
  TransmitterEncoderService,
} from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import {
  classificationOf,
  errorOf,
  killAll,
  residentBytes,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from './link.fixture.js';

/** Window of a stream: what a service holds of frames without an answer taken. */
const windowBytes = 1024 * 1024;
const framesPerMessage = 16;
/** 3,072 bytes of pixels and what the services count for the rest of a frame. */
const frameBytes = 3_584;

let images: TestImage[];
let local: TestLink;
beforeAll(async () => {
  const window = { 'stream.windowBytes': windowBytes };
  [images, local] = await Promise.all([
    testImages(300),
    startTestLink({ 'transmitter-encoder': window, 'channel-emulator': window, 'receiver-decoder': window }),
  ]);
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

let sequence = 0n;
function message(): TransmitRequest {
  const frames = Array.from({ length: framesPerMessage }, () => {
    const { rgb, width, height } = images[Number(sequence) % images.length]!;
    const captureTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
    return { header: { linkId: 'deaf', sequence: sequence++, captureTimeUnixNano }, rgb, width, height };
  });
  return create(TransmitRequestSchema, { frames });
}

async function queueBytes(): Promise<Record<ServiceName, number>> {
  const entries = SERVICES.map(async (role) => {
    const { samples } = await local.scrape(role);
    const queues = samples.filter(({ name }) => name === 'semlink_queue_bytes');
    return [role, queues.reduce((sum, { value }) => sum + value, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<ServiceName, number>;
}

async function resident(): Promise<number[]> {
  return Promise.all(SERVICES.map(async (role) => (await residentBytes(local.processes[role].process.pid!)) ?? 0));
}

describe('a client that does not read its results', () => {
  it('is stopped, costs no memory, holds up nobody else, and gets every answer when it reads on', {
    timeout: 60_000,
  }, async () => {
    const other = new SemanticLink({ address: local.address, linkId: 'other' });
    await sendAll(other, images);
    const before = await resident();

    const client = createRpcClient(TransmitterEncoderService, { address: local.address });
    const call = client.transmit();
    let status: number | undefined;
    call.on('status', ({ code }) => (status = code));
    call.on('error', () => {});
    // It reads one message and no more: before its first read grpc-js itself would keep everything that comes.
    const results: FrameResult[] = [];
    const take = (response: TransmitResponse) => results.push(...response.results);
    call.once('data', (response: TransmitResponse) => {
      take(response);
      call.pause();
    });
    // Writing goes on for as long as it is taken.
    let sent = 0;
    let stalled = false;
    while (!stalled) {
      sent += framesPerMessage;
      if (call.write(message())) continue;
      const late = new Promise<'late'>((resolve) => setTimeout(resolve, 2_000, 'late'));
      stalled = (await Promise.race([once(call, 'drain'), late])) === 'late';
      // 40 MB into nowhere would be no back-pressure.
      expect(sent).toBeLessThan(12_000);
    }
    // The window, and what the transport and both ends of it take besides: some 64 KiB and 16 messages each way.
    expect(sent * frameBytes).toBeGreaterThan(windowBytes);
    expect(sent * frameBytes).toBeLessThan(16 * windowBytes);

    // Nobody else is held up meanwhile, and nothing piles up.
    for (let round = 0; round < 3; round++) {
      const answers = await sendAll(other, images);
      expect(answers.filter(({ result }) => errorOf(result))).toEqual([]);
      for (const bytes of Object.values(await queueBytes())) expect(bytes).toBeLessThanOrEqual(2 * windowBytes);
    }
    const grown = (await resident()).map((bytes, i) => bytes - before[i]!);
    for (const bytes of grown) expect(bytes).toBeLessThan(96 * 1024 * 1024);

    // It reads on, and so the rest goes through.
    call.on('data', take);
    call.resume();
    for (let more = 0; more < 20; more++) {
      sent += framesPerMessage;
      if (!call.write(message())) await once(call, 'drain');
    }
    call.end();
    await until(() => status !== undefined);
    expect(status).toBe(0);
    expect(results).toHaveLength(sent);
    expect(new Set(results.map((result) => result.sequence)).size).toBe(sent);
    for (const result of results) classificationOf(result);
    client.close();
    await other.close();
    expect(Object.values(await queueBytes())).toEqual([0, 0, 0]);
  });

  it('that goes away leaves nothing behind', async () => {
    const client = createRpcClient(TransmitterEncoderService, { address: local.address });
    const call = client.transmit();
    call.on('error', () => {});
    for (let sent = 0; sent < 20; sent++) call.write(message());
    await until(async () => Object.values(await queueBytes()).some((bytes) => bytes > 0) || call.writableLength === 0);
    call.cancel();
    client.close();
    await until(async () => {
      const scrapes = await Promise.all(SERVICES.map((role) => local.scrape(role)));
      const open = scrapes.flatMap(({ samples }) => samples.filter(({ name }) => name === 'semlink_streams_open'));
      return open.every(({ value }) => value === 0);
    });
    // The engine finishes the batch that it is in, also for a client that has gone.
    await until(async () => Object.values(await queueBytes()).every((bytes) => bytes === 0));
  });
});

describe('a program that takes its answers slowly', () => {
  it('has no more images under way than it allows', async () => {
    const maxInFlight = 20;
    const link = new SemanticLink({ address: local.address, linkId: 'slow', maxInFlight });
    let drawn = 0;
    const source = async function* () {
      for (const image of images.slice(0, 100)) {
        drawn++;
        yield { image, context: undefined };
      }
    };
    let taken = 0;
    for await (const { result } of link.transmit(source())) {
      classificationOf(result);
      taken++;
      // Answers pile up here for a while; images must not be drawn meanwhile.
      if (taken % 25 === 0) await new Promise((resolve) => setTimeout(resolve, 200));
      expect(drawn - taken).toBeLessThanOrEqual(maxInFlight + 1);
      expect(link.inFlight).toBeLessThanOrEqual(maxInFlight);
    }
    expect(taken).toBe(100);
    await link.close();
  });
});
