/** A channel-emulator as a process, a receiver in this one, and a sender, for tests of its control. */
import { create } from '@bufbuild/protobuf';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { encodeSymbols } from '../../shared/codec/symbols.js';
import { ChannelEmulatorService, PropagateRequestSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import {
  type ChannelStateFeedback,
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
import { resultFields } from '../../shared/rpc/frame-result.js';
import { FrameStreamClient } from '../../shared/rpc/frame-stream-client.js';
import { serveFrameStream } from '../../shared/rpc/frame-stream-server.js';
import { type ServerHandle, startServer } from '../../shared/rpc/server.js';

/** A receiver that hands each frame to `onFrame`, answers it and reports its channel state, as pilots show it. */
export async function startReceiver(onFrame: (frame: SymbolFrame) => void = () => {}): Promise<ServerHandle> {
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
            const { measuredTimeUnixNano, snrDb, position, estimate } = frame.channel!;
            const seen = { snrDb: estimate?.snrDb ?? snrDb, instantaneousSnrDb: estimate?.instantaneousSnrDb ?? snrDb };
            stream.feedback(create(ChannelStateFeedbackSchema, { linkId, ...seen, measuredTimeUnixNano, position }));
            const outcome = { case: 'classification' as const, value: { label: 1 } };
            const { channelUses, timings } = frame;
            stream.answer(
              create(FrameResultSchema, {
                ...resultFields(frame.header),
                outcome,
                channelUses,
                ...(timings && { timings }),
              }),
            );
          }
        },
      });
    },
  });
  const batch = { listen: '127.0.0.1:0', services: [service], drainLimitMs: 500 };
  return startServer({ role: 'receiver-decoder', ...batch });
}

export type EmulatorProcess = ServiceProcess & { log: string[] };

/** The emulator on free ports. */
export async function startEmulator(receiver: string, ...flags: string[]): Promise<EmulatorProcess> {
  return startEmulatorIn({}, receiver, ...flags);
}

/** Small heaps that are collected often: resident memory then shows what is kept, and not when garbage was last fetched. */
export const smallHeap = { NODE_OPTIONS: '--max-semi-space-size=1 --max-old-space-size=96' };

/** `startEmulator` with environment variables. */
export async function startEmulatorIn(
  env: NodeJS.ProcessEnv,
  receiver: string,
  ...flags: string[]
): Promise<EmulatorProcess> {
  const log: string[] = [];
  const addresses = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--receiver', receiver];
  const emulator = await startServiceProcess('channel-emulator', [...addresses, ...flags], {
    onLog: (line) => log.push(line),
    env,
  });
  return { ...emulator, log };
}

/** k symbols 1 + 0j in a frame. */
export function frameOf(linkId: string, sequence: number, k = 8): SymbolFrame {
  const symbols = Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));
  return create(SymbolFrameSchema, {
    header: { linkId, sequence: BigInt(sequence), captureTimeUnixNano: BigInt(Date.now()) * 1_000_000n },
    format: SymbolFormat.FC32,
    channelUses: k,
    iq: encodeSymbols(SymbolFormat.FC32, symbols).iq,
  });
}

/** Sends frames over one stream and keeps what comes back. */
export function startSender(address: string, options: { windowBytes?: number; reconnectWaitMs?: number } = {}) {
  const client = createRpcClient(ChannelEmulatorService, { address });
  const results = new Map<string, FrameResult>();
  const feedback: ChannelStateFeedback[] = [];
  const arrivals = new Map<string, number>();
  const keyOf = (linkId: string, sequence: bigint | number) => `${linkId}/${sequence}`;
  const stream = new FrameStreamClient({
    peer: { role: 'channel-emulator', address },
    origin: 'test',
    open: () => client.propagate(),
    toRequest: (frames: SymbolFrame[]) => create(PropagateRequestSchema, { frames }),
    bytesOf: ({ iq }) => iq.length,
    onResult: (result, key: string) => {
      results.set(key, result);
      arrivals.set(key, performance.now());
    },
    onFeedback: (all) => feedback.push(...all),
    reconnectWaitMs: 10_000,
    ...options,
  });
  const keyOfFrame = ({ header }: SymbolFrame) => keyOf(header!.linkId, header!.sequence);
  return {
    client,
    stream,
    results,
    arrivals,
    feedback,
    resultOf: (linkId: string, sequence: number) => results.get(keyOf(linkId, sequence)),
    send: async (frame: SymbolFrame) => stream.send(frame, keyOfFrame(frame)),
    /** Sends a frame and waits for its answer. */
    ask: async (frame: SymbolFrame): Promise<FrameResult> => {
      const key = keyOfFrame(frame);
      await stream.send(frame, key);
      await until(() => results.has(key));
      return results.get(key)!;
    },
    close: () => {
      stream.cancel();
      client.close();
    },
  };
}

export async function until(test: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await test())) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${test}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const errorOf = ({ outcome }: FrameResult) => (outcome.case === 'error' ? outcome.value : undefined);
