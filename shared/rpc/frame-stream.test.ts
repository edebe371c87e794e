import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, it } from 'vitest';
import { ChannelStateFeedbackSchema, type FrameResult, type SymbolFrame } from '../gen/semlink/v1/frame_pb.js';
import { ReceiveResponseSchema } from '../gen/semlink/v1/receiver_decoder_pb.js';
import { Code, invalidArgument } from './errors.js';
import type { FrameStream } from './frame-stream-server.js';
import { hops, receiveProperly, resultFor, type Sender, symbolFrame, until } from './hop.fixture.js';

const { receiver, sender, end } = hops();
afterEach(end);

describe('a frame stream', () => {
  it('answers every frame once, in order of arrival, with few messages', async () => {
    let messages = 0;
    const order: bigint[] = [];
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          messages++;
          for (const frame of frames) {
            order.push(frame.header!.sequence);
            stream.answer(resultFor(frame));
          }
        },
      });
    });
    const { stream, results, close } = withClose(sender(server.address, { windowBytes: 64 * 1024 }));
    for (let sequence = 0; sequence < 2000; sequence++) await stream.send(symbolFrame(sequence), undefined);
    await close();
    expect(results.size).toBe(2000);
    expect([...results.values()].every((all) => all.length === 1)).toBe(true);
    expect(order).toEqual(order.map((_, index) => BigInt(index)));
    expect(messages).toBeLessThan(500);
    expect(stream).toMatchObject({ inFlight: 0, bytesInFlight: 0, strayResults: 0, streamsOpened: 1 });
  });

  it('holds frames back while the window is full, and the peer stops reading while its own is', async () => {
    const held: { stream: FrameStream; frame: SymbolFrame }[] = [];
    const server = await receiver((call) => {
      receiveProperly(call, {
        windowBytes: 10_000,
        batch: { maxItems: 1 },
        onFrames: (frames, stream) => {
          for (const frame of frames) held.push({ stream, frame });
        },
      });
    });
    const { stream, results } = sender(server.address, { windowBytes: 150_000, batch: { maxItems: 1 } });
    let sent = 0;
    while (stream.trySend(symbolFrame(sent, { bytes: 488 }), undefined)) sent++;
    expect(sent).toBe(150);
    const waits = stream.send(symbolFrame(sent, { bytes: 488 }), undefined);
    expect(waits).toBeInstanceOf(Promise);
    await until(() => held.length >= 10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(held.length).toBe(10);
    expect(results.size).toBe(0);
    for (let answered = 0; answered <= sent; answered++) {
      await until(() => held.length > answered);
      const { stream: upstream, frame } = held[answered]!;
      upstream.answer(resultFor(frame));
      expect(upstream.inFlight).toBeLessThanOrEqual(10);
    }
    await waits;
    await until(() => results.size === sent + 1);
    expect(stream.bytesInFlight).toBe(0);
  });

  it('answers a bad frame inside the stream and goes on', async () => {
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          for (const frame of frames) {
            if (frame.header!.sequence === 2n) throw invalidArgument('k', 7, 'use 8');
            stream.answer(resultFor(frame));
          }
        },
      });
    });
    const sending = sender(server.address, { batch: { maxItems: 1 } });
    await sending.stream.send(symbolFrame(1), undefined);
    await sending.stream.send(symbolFrame(2), undefined);
    await sending.stream.send(symbolFrame(3, { linkId: 'not a link' }), undefined);
    await sending.stream.send(symbolFrame(4), undefined);
    await until(() => sending.results.size === 4);
    expect(sending.errorCode(1)).toBeUndefined();
    expect(sending.errorMessage(2)).toBe('k is 7; use 8');
    expect(sending.errorMessage(3, 'not a link')).toMatch(/^link_id is "not a link"; use 1 to 64/);
    expect(sending.errorCode(4)).toBeUndefined();
    expect(sending.stream.streamsOpened).toBe(1);
  });

  it('refuses a key that is in flight, on either side, and lets it be used again afterwards', async () => {
    const waiting: { stream: FrameStream; frame: SymbolFrame }[] = [];
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          for (const frame of frames) waiting.push({ stream, frame });
        },
      });
    });
    const sending = sender(server.address);
    await sending.stream.send(symbolFrame(1), undefined);
    expect(() => sending.stream.trySend(symbolFrame(1), undefined)).toThrow(
      /sequence of link "link" is 1; a frame with it/,
    );
    await until(() => waiting.length === 1);
    waiting[0]!.stream.answer(resultFor(waiting[0]!.frame));
    await until(() => sending.results.size === 1);
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => waiting.length === 2);
    expect(waiting[0]!.stream.answer(resultFor(waiting[1]!.frame))).toBe(true);
    expect(waiting[0]!.stream.answer(resultFor(waiting[1]!.frame))).toBe(false);
    expect(waiting[0]!.stream.strayAnswers).toBe(1);
  });

  it('a duplicate from a careless client is answered ALREADY_EXISTS, the first one stays good', async () => {
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: async (frames, stream) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          for (const frame of frames) stream.answer(resultFor(frame));
        },
      });
    });
    const { stream } = sender(server.address, {
      // Doubles the frames behind the back of the sender.
      toRequest: (frames) => ({ $typeName: 'semlink.v1.ReceiveRequest', frames: [...frames, ...frames] }),
      onResult: (result) => got.push(result),
    });
    const got: FrameResult[] = [];
    await stream.send(symbolFrame(1), undefined);
    await until(() => got.length === 1 && stream.strayResults === 1);
    expect(got[0]!.outcome).toMatchObject({ case: 'error', value: { code: Code.ALREADY_EXISTS } });
  });

  it('brings feedback back, newest of each link', async () => {
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          for (const frame of frames) {
            for (const snrDb of [1, 2, 3])
              stream.feedback(create(ChannelStateFeedbackSchema, { linkId: 'link', snrDb }));
            stream.answer(resultFor(frame));
          }
        },
      });
    });
    const fed: number[] = [];
    const sending = sender(server.address, {
      onFeedback: (feedback) => fed.push(...feedback.map(({ snrDb }) => snrDb)),
    });
    await sending.stream.send(symbolFrame(1), undefined);
    await until(() => fed.length > 0);
    expect(fed).toEqual([3]);
  });

  describe('feedback and the answer of a frame under way', () => {
    /** Sends frames one by one; what the messages back had of feedback and of answers. */
    async function messagesOf(frames: number, answerAfter: () => Promise<unknown>) {
      const messages: { feedback: number; results: number }[] = [];
      const server = await receiver((call) => {
        receiveProperly(call, {
          toResponse: (parts) => {
            messages.push({ feedback: parts.feedback.length, results: parts.results.length });
            return create(ReceiveResponseSchema, parts);
          },
          onFrames: ([frame], stream) => {
            stream.feedback(create(ChannelStateFeedbackSchema, { linkId: 'link', snrDb: 1 }));
            void answerAfter().then(() => stream.answer(resultFor(frame!)));
          },
        });
      });
      const sending = sender(server.address);
      for (let sequence = 1; sequence <= frames; sequence++) {
        await sending.stream.send(symbolFrame(sequence), undefined);
        await until(() => sending.results.size === sequence);
      }
      return messages;
    }

    it('share a message where the answer is about to come', async () => {
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      const messages = await messagesOf(30, () => turn().then(turn).then(turn));
      // A busy machine may take more than a millisecond for three turns now and then, not always.
      expect(messages.filter(({ feedback, results }) => feedback === 1 && results === 1).length).toBeGreaterThan(5);
    });

    it('do not where it takes long', async () => {
      const messages = await messagesOf(2, () => new Promise((resolve) => setTimeout(resolve, 50)));
      const alone = { feedback: 1, results: 0 };
      const without = { feedback: 0, results: 1 };
      expect(messages).toEqual([alone, without, alone, without]);
    });
  });
});

describe('ending', () => {
  it('close waits for answers in flight and refuses further frames', async () => {
    const server = await receiver((call) => {
      receiveProperly(call, {
        onFrames: async (frames, stream) => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          for (const frame of frames) stream.answer(resultFor(frame));
        },
      });
    });
    const sending = sender(server.address);
    await sending.stream.send(symbolFrame(1), undefined);
    const closed = sending.close();
    expect(() => sending.stream.trySend(symbolFrame(2), undefined)).toThrow(/is closed; open a new one/);
    await closed;
    expect(sending.errorCode(1)).toBeUndefined();
  });

  it('cancel answers everything and the peer hears of it', async () => {
    const streams: FrameStream[] = [];
    let ended = 0;
    const server = await receiver((call) => {
      streams.push(receiveProperly(call, { onFrames: () => {}, onEnd: () => ended++ }));
    });
    const sending = sender(server.address, { windowBytes: 2000 });
    await sending.stream.send(symbolFrame(1), undefined);
    const waits = [2, 3, 4].map((sequence) => Promise.resolve(sending.stream.send(symbolFrame(sequence), undefined)));
    const outcomes = Promise.allSettled(waits);
    await until(() => streams[0]?.inFlight === 3);
    sending.stream.cancel('enough');
    expect(sending.results.size).toBe(3);
    expect(sending.errorMessage(1)).toBe('cancelled: enough');
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await sending.close();
    await until(() => ended === 1);
    expect(streams[0]!.signal.aborted).toBe(true);
  });

  it('a waiting send can be given up', async () => {
    const server = await receiver((call) => receiveProperly(call, { onFrames: () => {} }));
    const sending = sender(server.address, { windowBytes: 600 });
    await sending.stream.send(symbolFrame(1), undefined);
    const abort = new AbortController();
    const waits = sending.stream.send(symbolFrame(2), undefined, abort.signal);
    abort.abort(new Error('no longer wanted'));
    await expect(waits).rejects.toThrow('no longer wanted');
    expect(sending.stream.inFlight).toBe(1);
  });
});

/** Methods of a class come without their `this`. */
function withClose(made: Sender) {
  return { stream: made.stream, results: made.results, close: () => made.close() };
}
