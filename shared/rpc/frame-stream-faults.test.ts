import { create } from '@bufbuild/protobuf';
import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { DrainingSchema, type FrameResult, type SymbolFrame } from '../gen/semlink/v1/frame_pb.js';
import { ReceiveResponseSchema } from '../gen/semlink/v1/receiver_decoder_pb.js';
import { DrainList } from './drain-list.js';
import { Code, SemlinkError } from './errors.js';
import type { FrameStream } from './frame-stream-server.js';
import {
  hops,
  type ReceiveCall,
  receiveProperly,
  resultFor,
  Sender,
  startReceiver,
  symbolFrame,
  until,
} from './hop.fixture.js';

const { receiver, sender, end } = hops();
afterEach(end);

describe('when the peer', () => {
  it('is not there: frames wait, are answered UNAVAILABLE with its name, and go through once it is back', async () => {
    const first = await receiver((call) => receiveProperly(call));
    const { address } = first;
    await first.drain();
    const sending = sender(address, { reconnectWaitMs: 200 });
    const started = performance.now();
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => sending.results.size === 1);
    expect(performance.now() - started).toBeGreaterThan(150);
    expect(sending.errorCode(1)).toBe(Code.UNAVAILABLE);
    expect(sending.errorMessage(1)).toBe(
      `receiver-decoder at ${address} is not reachable (connect ECONNREFUSED ${address}); check that it runs there`,
    );
    // Known to be down: no waiting for the next ones.
    for (let sequence = 2; sequence < 50; sequence++) await sending.stream.send(symbolFrame(sequence), undefined);
    await until(() => sending.results.size === 49);
    await receiver((call) => receiveProperly(call), { listen: address });
    let sequence = 50;
    await until(() => {
      sending.stream.trySend(symbolFrame(sequence++), undefined);
      return sending.states.includes('open');
    });
    const answered = sequence++;
    await sending.stream.send(symbolFrame(answered), undefined);
    await until(() => sending.results.has(`link/${answered}`));
    expect(sending.errorCode(answered)).toBeUndefined();
    expect(sending.states).toEqual(['down', 'open']);
  });

  it('comes back in time: no frame is lost', async () => {
    const first = await receiver((call) => receiveProperly(call));
    const { address } = first;
    await first.drain();
    const sending = sender(address, { reconnectWaitMs: 5_000 });
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => sending.states.includes('down'));
    await receiver((call) => receiveProperly(call), { listen: address });
    await until(() => sending.results.size === 1);
    expect(sending.errorCode(1)).toBeUndefined();
  });

  it('breaks the stream in the middle: its frames are answered UNAVAILABLE, later ones go over a new stream', async () => {
    let calls = 0;
    const server = await receiver((call) => {
      const isFirst = calls++ === 0;
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          for (const frame of frames) {
            if (isFirst && frame.header!.sequence === 3n) return stream.abort(new SemlinkError(Code.INTERNAL, 'crash'));
            stream.answer(resultFor(frame));
          }
          return undefined;
        },
      });
    });
    const sending = sender(server.address, { batch: { maxItems: 1 } });
    for (let sequence = 0; sequence < 5; sequence++) await sending.stream.send(symbolFrame(sequence), undefined);
    await until(() => sending.results.size === 5);
    expect(sending.errorCode(0)).toBeUndefined();
    expect(sending.errorCode(3)).toBe(Code.UNAVAILABLE);
    expect(sending.errorMessage(3)).toMatch(
      /^the stream to receiver-decoder at .* broke before the answer .*; send again$/,
    );
    await sending.stream.send(symbolFrame(9), undefined);
    await until(() => sending.results.has('link/9'));
    expect(sending.errorCode(9)).toBeUndefined();
    expect(sending.stream.streamsOpened).toBe(2);
  });

  it('is silent: frames are answered DEADLINE_EXCEEDED, and a late answer is not a second one', async () => {
    const late: { stream: FrameStream; frame: SymbolFrame }[] = [];
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          for (const frame of frames) late.push({ stream, frame });
        },
      });
    });
    const sending = sender(server.address, { frameTimeoutMs: 100 });
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => sending.results.size === 1);
    expect(sending.errorCode(1)).toBe(Code.DEADLINE_EXCEEDED);
    late[0]!.stream.answer(resultFor(late[0]!.frame));
    await until(() => sending.stream.strayResults === 1);
    expect(sending.result(1).outcome.case).toBe('error');
    expect(sending.stream.bytesInFlight).toBe(0);
  });

  it('never reads: memory stays within the window however many frames time out', async () => {
    const server = await receiver((call) => {
      call.sendMetadata(new Metadata());
    });
    const sending = sender(server.address, { frameTimeoutMs: 40, windowBytes: 1_000_000, batch: { maxItems: 8 } });
    let sequence = 0;
    const end = performance.now() + 400;
    while (performance.now() < end) {
      if (!sending.stream.trySend(symbolFrame(sequence, { bytes: 20_000 }), undefined)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      } else sequence++;
      expect(sending.stream.bytesInFlight).toBeLessThanOrEqual(1_000_000);
    }
    await until(() => sending.results.size === sequence);
    expect(sequence).toBeGreaterThan(100);
    expect(sending.errorCode(sequence - 1)).toBe(Code.DEADLINE_EXCEEDED);
  });

  it('sends no headers until its first answer: frames go out all the same', async () => {
    const server = await receiver((call) => {
      call.on('data', ({ frames }) => call.write(create(ReceiveResponseSchema, { results: frames.map(resultFor) })));
      call.on('end', () => call.end());
    });
    const sending = sender(server.address, { reconnectWaitMs: 3_000 });
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => sending.results.size === 1);
    expect(sending.errorCode(1)).toBeUndefined();
  });

  it('gets an oversize message: the frame is answered RESOURCE_EXHAUSTED with both sizes', async () => {
    const server = await receiver((call) => receiveProperly(call), { maxMessageBytes: 1000 });
    const sending = sender(server.address);
    await sending.stream.send(symbolFrame(1, { bytes: 4000 }), undefined);
    await until(() => sending.results.size === 1);
    expect(sending.errorCode(1)).toBe(Code.RESOURCE_EXHAUSTED);
    expect(sending.errorMessage(1)).toMatch(
      /a message of 40\d\d bytes is over the limit of 1000 bytes; send fewer frames/,
    );
    await sending.stream.send(symbolFrame(2), undefined);
    await until(() => sending.results.size === 2);
    expect(sending.errorCode(2)).toBeUndefined();
  });
});

describe('draining', () => {
  it('loses nothing: sent frames are answered on the old stream, further ones on a new one', async () => {
    const streams: FrameStream[] = [];
    const server = await receiver((call) => {
      streams.push(receiveProperly(call));
    });
    const sending = sender(server.address, { batch: { maxItems: 4 }, windowBytes: 100_000 });
    for (let sequence = 0; sequence < 3000; sequence++) {
      await sending.stream.send(symbolFrame(sequence), undefined);
      if (sequence % 500 === 499) {
        await until(() => streams.length > 0);
        streams.at(-1)!.drain(1000);
      }
    }
    await sending.close();
    expect(sending.results.size).toBe(3000);
    for (let sequence = 0; sequence < 3000; sequence++) expect(sending.errorCode(sequence)).toBeUndefined();
    expect(sending.stream.streamsOpened).toBeGreaterThan(1);
  });

  it('of a server waits for answers in the making, then ends cleanly', async () => {
    const drains = new DrainList();
    const server = await receiver(
      (call) =>
        receiveProperly(call, {
          drains,
          onFrames: async (frames, stream) => {
            await new Promise((resolve) => setTimeout(resolve, 100));
            for (const frame of frames) stream.answer(resultFor(frame));
          },
        }),
      { drains, drainLimitMs: 3_000 },
    );
    const sending = sender(server.address, { reconnectWaitMs: 100 });
    for (let sequence = 0; sequence < 20; sequence++) await sending.stream.send(symbolFrame(sequence), undefined);
    await until(() => sending.states.includes('open'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(server.drain()).resolves.toBe(true);
    await until(() => sending.results.size === 20);
    for (let sequence = 0; sequence < 20; sequence++) expect(sending.errorCode(sequence)).toBeUndefined();
    expect(sending.states).toEqual(['open', 'draining']);
    await sending.stream.send(symbolFrame(99), undefined);
    await until(() => sending.results.has('link/99'));
    expect(sending.errorCode(99)).toBe(Code.UNAVAILABLE);
  });

  it('of a server cuts off what does not end within the limit, and says so', async () => {
    const drains = new DrainList();
    let taken = 0;
    const onFrames = (frames: SymbolFrame[]) => {
      taken += frames.length;
    };
    const server = await receiver((call) => receiveProperly(call, { drains, onFrames }), { drains, drainLimitMs: 100 });
    const sending = sender(server.address, { reconnectWaitMs: 100 });
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => taken === 1);
    await expect(server.drain()).resolves.toBe(false);
    await until(() => sending.results.size === 1);
    expect(sending.errorCode(1)).toBe(Code.UNAVAILABLE);
  });

  it('happens to a stream that has reached its age', async () => {
    const server = await receiver((call) => receiveProperly(call, { maxStreamAgeMs: 50 }));
    const sending = sender(server.address);
    let sequence = 0;
    await until(() => {
      sending.stream.trySend(symbolFrame(sequence++), undefined);
      return sending.stream.streamsOpened >= 3;
    });
    await sending.close();
    for (let one = 0; one < sequence; one++) expect(sending.errorCode(one)).toBeUndefined();
  });
});

describe('the age of a stream', () => {
  it('loses no frame, though connections are pinged more often than streams move', async () => {
    const server = await receiver((call) => receiveProperly(call, { maxStreamAgeMs: 200 }), { keepaliveTimeMs: 20 });
    const sending = sender(server.address);
    let sequence = 0;
    await until(() => {
      sending.stream.trySend(symbolFrame(sequence++), undefined);
      return sending.stream.streamsOpened >= 6;
    });
    await sending.close();
    for (let one = 0; one < sequence; one++) expect(sending.errorCode(one)).toBeUndefined();
  });
});

/** What a bad receiver does with a frame. */
const conduct = fc.constantFrom(
  'answer',
  'answer',
  'answer',
  'late',
  'twice',
  'unknown',
  'silent',
  'break',
  'drain',
  'reset',
);

describe('whatever the receiver does', () => {
  it('every frame sent has exactly one result, and nothing stays behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(conduct, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        async (conducts, maxItems) => {
          const server = await startReceiver((call) => misbehave(call, conducts));
          const sending = new Sender(server.address, {
            frameTimeoutMs: 150,
            reconnectWaitMs: 500,
            windowBytes: 8_000,
            batch: { maxItems },
            backoff: { baseMs: 5, maxMs: 20 },
          });
          for (let sequence = 0; sequence < conducts.length; sequence++) {
            await sending.stream.send(symbolFrame(sequence), undefined);
          }
          await sending.close();
          await server.drain();
          expect(sending.results.size).toBe(conducts.length);
          for (let sequence = 0; sequence < conducts.length; sequence++) sending.result(sequence);
          expect(sending.stream).toMatchObject({ inFlight: 0, bytesInFlight: 0 });
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);
});

function misbehave(call: ReceiveCall, conducts: string[]): void {
  let open = true;
  const answer = (...results: FrameResult[]): void => {
    if (open) call.write(create(ReceiveResponseSchema, { results }));
  };
  call.sendMetadata(new Metadata());
  call.on('cancelled', () => {
    open = false;
  });
  call.on('end', () => setTimeout(() => open && call.end(), 30));
  call.on('data', ({ frames }: { frames: SymbolFrame[] }) => {
    for (const frame of frames) {
      const result = resultFor(frame);
      switch (conducts[Number(frame.header!.sequence)]) {
        case 'answer':
          answer(result);
          break;
        case 'late':
          setTimeout(() => answer(result), 20);
          break;
        case 'twice':
          answer(result, result);
          break;
        case 'unknown':
          answer({ ...result, sequence: 10_000n }, { ...result, linkId: 'other' }, result);
          break;
        case 'break':
          open = false;
          call.emit('error', { code: Code.INTERNAL, details: 'broken on purpose' });
          return;
        case 'abandon':
          open = false;
          call.destroy(new Error('abandoned on purpose'));
          return;
        case 'drain':
          if (open) call.write(create(ReceiveResponseSchema, { draining: create(DrainingSchema, {}) }));
          answer(result);
          break;
        default:
      }
    }
  });
}
