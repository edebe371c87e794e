/** Sources over real connections to a service that merges them, and on to one that answers. */
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ChannelStateFeedbackSchema, type SymbolFrame } from '../gen/semlink/v1/frame_pb.js';
import {
  type ReceiveRequest,
  ReceiveRequestSchema,
  type ReceiveResponse,
  ReceiverDecoderService,
} from '../gen/semlink/v1/receiver_decoder_pb.js';
import { createRpcClient } from './client.js';
import { Code } from './errors.js';
import { frameOverheadBytes } from './frame-result.js';
import type { FrameStream } from './frame-stream-server.js';
import { hops, receiveProperly, resultFor, type Sender, symbolFrame, until } from './hop.fixture.js';
import type { MergedHop } from './merged-hop.js';
import { mostSharedLinks } from './merged-hop.js';
import { MergingRelay, mostSharing } from './merging-relay.js';

const { receiver, sender, end } = hops();
const clients: { close(): void }[] = [];
afterEach(async () => {
  await end();
  for (const client of clients.splice(0)) client.close();
});

interface Context {
  hop: MergedHop<SymbolFrame, Context>;
  stream: FrameStream;
}

const frameBytes = 32 + frameOverheadBytes;
/** Frames that a source may have on a stream that it shares. */
const shareFrames = 8;

type OnFrames = (frames: SymbolFrame[], stream: FrameStream) => void;

const answerAll: OnFrames = (frames, stream) => {
  for (const frame of frames) stream.answer(resultFor(frame));
};

/** A service that merges what it serves, before one that does with frames what it is told. */
async function chain(onFrames: OnFrames = answerAll) {
  const opened: FrameStream[] = [];
  let messages = 0;
  const last = await receiver((call) => {
    opened.push(
      receiveProperly(call, {
        onFrames: (frames, stream) => {
          messages++;
          onFrames(frames, stream);
        },
      }),
    );
  });
  const client = createRpcClient(ReceiverDecoderService, { address: last.address });
  clients.push(client);
  let streams = 0;
  const relay = new MergingRelay<SymbolFrame, ReceiveRequest, ReceiveResponse, Context>({
    peer: { role: 'receiver-decoder', address: last.address },
    origin: 'relay',
    open: () => client.receive(),
    isConnected: () => client.isConnected(),
    toRequest: (frames) => create(ReceiveRequestSchema, { frames }),
    bytesOf: (frame) => frame.iq.length,
    onResult: (result, { stream }) => stream.answer(result),
    onFeedback: (feedback, upstream) => upstream?.feedback(feedback),
    windowBytes: mostSharing * shareFrames * frameBytes,
    onOpen: () => {
      streams++;
      return () => streams--;
    },
    brokenOff: 'the source broke off',
  });
  const middle = await receiver((call) => {
    let hop: MergedHop<SymbolFrame, Context> | undefined;
    receiveProperly(call, {
      onFrames: (frames, stream) => {
        hop ??= relay.hop(stream);
        for (const frame of frames) {
          void hop.send(frame, { hop, stream }, stream.signal)?.catch((error: unknown) => stream.fail(frame, error));
        }
      },
      onEnd: () => hop?.end(),
    });
  });
  return { middle, relay, opened, messages: () => messages, streams: () => streams };
}

const sendAll = (source: Sender, count: number, linkId: string, first = 0) => {
  for (let i = 0; i < count; i++) void source.stream.send(symbolFrame(first + i, { linkId }), undefined);
};

describe('MergingRelay', () => {
  it('has sources with little under way share a stream and its messages', async () => {
    const { middle, relay, opened, messages, streams } = await chain();
    const sources = Array.from({ length: 40 }, () => sender(middle.address));
    for (let round = 0; round < 20; round++) {
      for (const [i, source] of sources.entries()) sendAll(source, 2, `link-${i}`, round * 2);
      await until(() => sources.every(({ stream }) => stream.inFlight === 0));
    }
    sources.forEach((source, i) => {
      for (let sequence = 0; sequence < 40; sequence++) {
        expect(source.errorCode(sequence, `link-${i}`)).toBeUndefined();
      }
      expect(source.results.size).toBe(40);
    });
    expect(opened).toHaveLength(1);
    expect(messages()).toBeLessThan(400);
    await Promise.all(sources.map(({ stream }) => stream.close()));
    await until(() => streams() === 0);
    expect(relay.bytesInFlight).toBe(0);
  });

  it('opens a further stream for more sources than may share one', async () => {
    const { middle, opened } = await chain();
    const sources = Array.from({ length: mostSharing + 1 }, () => sender(middle.address));
    for (const [i, source] of sources.entries()) sendAll(source, 1, `link-${i}`);
    await until(() => sources.every(({ results }) => results.size === 1));
    expect(opened).toHaveLength(2);
  });

  it('gives a source with more than its share under way a stream of its own, in order, and holds up nobody', async () => {
    const order: bigint[] = [];
    const held: [FrameStream, SymbolFrame][] = [];
    const { middle, opened, streams } = await chain((frames, stream) => {
      for (const frame of frames) {
        if (frame.header!.linkId !== 'heavy') stream.answer(resultFor(frame));
        else held.push([stream, frame]);
        if (frame.header!.linkId === 'heavy') order.push(frame.header!.sequence);
      }
    });
    const [heavy, light] = [sender(middle.address), sender(middle.address)];
    sendAll(heavy, 40, 'heavy');
    await until(() => held.length === shareFrames);
    sendAll(light, 5, 'light');
    await until(() => light.results.size === 5);
    // The rest of it waits for those.
    expect(held).toHaveLength(shareFrames);
    expect(opened).toHaveLength(1);
    for (const [stream, frame] of held.splice(0)) stream.answer(resultFor(frame));
    await until(() => held.length === 40 - shareFrames);
    expect(opened).toHaveLength(2);
    expect(held.every(([stream]) => stream === opened[1])).toBe(true);
    sendAll(light, 5, 'light', 5);
    await until(() => light.results.size === 10);
    for (const [stream, frame] of held.splice(0)) stream.answer(resultFor(frame));
    await until(() => heavy.results.size === 40);
    expect(order).toEqual(Array.from({ length: 40 }, (_, i) => BigInt(i)));
    await heavy.stream.close();
    await until(() => streams() === 1);
  });

  it('tells apart sources that have a link and its numbers in common', async () => {
    const { middle, opened } = await chain();
    const sources = [sender(middle.address), sender(middle.address), sender(middle.address)];
    for (const source of sources) sendAll(source, 30, 'same');
    await until(() => sources.every(({ results }) => results.size === 30));
    for (const source of sources) {
      for (let sequence = 0; sequence < 30; sequence++) expect(source.errorCode(sequence, 'same')).toBeUndefined();
    }
    // A shared one that may be left by then, and three or two of their own.
    expect(opened.length).toBeGreaterThanOrEqual(3);
  });

  it('gives a source of many links a stream of its own', async () => {
    const { middle, opened } = await chain();
    const source = sender(middle.address);
    for (let link = 0; link <= mostSharedLinks; link++) {
      await source.stream.send(symbolFrame(0, { linkId: `link-${link}` }), undefined);
      await until(() => source.results.size === link + 1);
    }
    expect(opened).toHaveLength(2);
  });

  it('sends feedback to the source of the link alone, also after that has moved', async () => {
    const feedback = (linkId: string, snrDb: number) => create(ChannelStateFeedbackSchema, { linkId, snrDb });
    const { middle, opened } = await chain();
    const told: string[][] = [[], []];
    const [a, b] = [0, 1].map((i) =>
      sender(middle.address, { onFeedback: (all) => told[i]!.push(...all.map((one) => `${one.linkId} ${one.snrDb}`)) }),
    ) as [Sender, Sender];
    sendAll(a, 1, 'a');
    sendAll(b, 1, 'b');
    await until(() => a.results.size === 1 && b.results.size === 1);
    opened[0]!.feedback(feedback('a', 1));
    opened[0]!.feedback(feedback('b', 2));
    opened[0]!.feedback(feedback('nobody', 3));
    await until(() => told[0]!.length === 1 && told[1]!.length === 1);
    sendAll(a, 30, 'a', 1);
    await until(() => a.results.size === 31);
    expect(opened).toHaveLength(2);
    opened[0]!.feedback(feedback('a', 4));
    await until(() => told[0]!.length === 2);
    opened[1]!.feedback(feedback('a', 5));
    await until(() => told[0]!.length === 3);
    expect(told).toEqual([expect.arrayContaining(['a 1', 'a 4', 'a 5']), ['b 2']]);
  });

  it('lets a source break off without a word to the others, and keeps its place until its frames are answered', async () => {
    const held: [FrameStream, SymbolFrame][] = [];
    const { middle, relay, streams, opened } = await chain((frames, stream) => {
      for (const frame of frames) {
        if (frame.header!.linkId === 'broken') held.push([stream, frame]);
        else stream.answer(resultFor(frame));
      }
    });
    const [broken, whole, again] = [sender(middle.address), sender(middle.address), sender(middle.address)];
    sendAll(broken, shareFrames + 3, 'broken');
    await until(() => held.length === shareFrames);
    broken.stream.cancel();
    sendAll(whole, 5, 'whole');
    await until(() => whole.results.size === 5);
    // The link comes back with the same numbers while its frames are still under way.
    sendAll(again, 2, 'broken');
    await until(() => held.length === shareFrames + 2);
    expect(opened).toHaveLength(2);
    for (const [stream, frame] of held.splice(0)) stream.answer(resultFor(frame));
    await until(() => again.results.size === 2);
    expect([again.errorCode(0, 'broken'), again.errorCode(1, 'broken')]).toEqual([undefined, undefined]);
    expect(broken.errorCode(0, 'broken')).toBe(Code.CANCELLED);
    await Promise.all([whole.stream.close(), again.stream.close()]);
    await until(() => streams() === 0);
    expect(relay.bytesInFlight).toBe(0);
  });

  it('answers each frame once to the source that sent it, whatever sources do', async () => {
    const step = fc.record({
      source: fc.nat({ max: 5 }),
      link: fc.nat({ max: 3 }),
      frames: fc.integer({ min: 1, max: 20 }),
      after: fc.constantFrom('go on', 'go on', 'wait', 'close'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { middle, relay, streams } = await chain();
        const all: { source: Sender; sent: Set<string> }[] = [];
        const current = new Map<number, { source: Sender; sent: Set<string> }>();
        let sequence = 0;
        for (const { source: index, link, frames, after } of steps) {
          const one = current.get(index) ?? { source: sender(middle.address), sent: new Set<string>() };
          if (!current.has(index)) all.push(one);
          current.set(index, one);
          for (let i = 0; i < frames; i++) {
            one.sent.add(`link-${link}/${sequence}`);
            void one.source.stream.send(symbolFrame(sequence++, { linkId: `link-${link}` }), undefined);
          }
          if (after === 'wait') await until(() => one.source.stream.inFlight === 0);
          if (after !== 'close') continue;
          current.delete(index);
          void one.source.stream.close();
        }
        await Promise.all(all.map(({ source }) => source.stream.close()));
        for (const { source, sent } of all) {
          expect(new Set(source.results.keys())).toEqual(sent);
          for (const results of source.results.values()) {
            expect(results.map(({ outcome }) => outcome.case)).toEqual(['classification']);
          }
        }
        await until(() => streams() === 0);
        expect(relay.bytesInFlight).toBe(0);
        await end();
      }),
      { numRuns: 15, seed: 1 },
    );
  });
});
