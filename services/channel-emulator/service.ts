import { create } from '@bufbuild/protobuf';
import { ChannelEmulatorService, PropagateResponseSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  type ReceiveRequest,
  ReceiveRequestSchema,
  type ReceiveResponse,
  type ReceiverDecoderService,
} from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { implementService, type ServiceImplementation } from '../../shared/rpc/adapter.js';
import { failedPrecondition } from '../../shared/rpc/errors.js';
import { FrameStreamClient } from '../../shared/rpc/frame-stream-client.js';
import type { FrameStreamClientOptions } from '../../shared/rpc/frame-stream-options.js';
import {
  type FrameStream,
  type FrameStreamServerOptions,
  serveFrameStream,
} from '../../shared/rpc/frame-stream-server.js';
import type { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import { Relay } from '../../shared/rpc/relay.js';
import { stateLog } from '../../shared/rpc/state-log.js';
import { ATTRIBUTES, nowUnixNano, type StreamMark } from '../../shared/telemetry/index.js';
import type { DelayQueue } from './air/delay-queue.js';
import { type ControlParts, controlHandlers, refusingHandlers } from './control/control.js';
import type { FeedbackPath } from './feedback/feedback-path.js';
import type { AirRecorder } from './recording/air-recorder.js';
import { type Downstream, ROLE, SymbolPath, traceFailure, withPassage } from './symbol-path.js';

type UpstreamOptions = FrameStreamServerOptions<SymbolFrame, unknown, unknown>;
type DownstreamOptions = FrameStreamClientOptions<SymbolFrame, ReceiveRequest, ReceiveResponse, SymbolFrame>;

export interface EmulatorParts extends ControlParts {
  receiver: PinnedClients<typeof ReceiverDecoderService.method>;
  /** Holds what is on the air in real time, and feedback on its way. */
  queue: DelayQueue;
  feedback: FeedbackPath;
  /** Writes down what passes. */
  recorder?: AirRecorder | undefined;
  /** Control has a port of its own: this one refuses it. */
  controlElsewhere?: boolean;
  /** Streams from transmitters. */
  stream: Pick<UpstreamOptions, 'batch' | 'maxStreamAgeMs' | 'ageDrainLimitMs'> & { windowBytes: number };
  /** Streams to the receiver. */
  hop: Pick<DownstreamOptions, 'windowBytes' | 'batch' | 'frameTimeoutMs' | 'reconnectWaitMs'>;
}

/** Maps streams of symbols to the air and on to the receiver-decoder, and control calls to the links. */
export function emulatorService(parts: EmulatorParts): ServiceImplementation {
  const { telemetry, stream: streamOptions } = parts;
  const marks = new WeakMap<FrameStream, StreamMark>();
  const relay = new Relay<Downstream>({
    open: (upstream) => openDownstream(parts, upstream, marks.get(upstream)!),
    onOpen: () => telemetry.metrics.streamOpened('called'),
    brokenOff: 'the stream of symbols broke off',
  });
  telemetry.metrics.trackQueue('receiver', () => relay.bytesInFlight);
  return implementService(ChannelEmulatorService, {
    ...(parts.controlElsewhere ? refusingHandlers() : controlHandlers(parts)),
    propagate: (call) => {
      const mark = telemetry.tracer.markStream('Propagate', nowUnixNano(), { [ATTRIBUTES.peer]: call.getPeer() });
      const closed = telemetry.metrics.streamOpened('served');
      let path: SymbolPath | undefined;
      const hop = relay.hop();
      serveFrameStream(call, {
        origin: ROLE,
        framesOf: (request) => request.frames,
        toResponse: (response) => {
          telemetry.metrics.observeAnswers(response.results, nowUnixNano());
          return Object.assign(create(PropagateResponseSchema), response);
        },
        bytesOf: (frame) => frame.iq.length,
        onFrames: (frames, stream) => {
          if (!path) {
            marks.set(stream, mark);
            const pathParts = { ...parts, windowBytes: streamOptions.windowBytes };
            path = new SymbolPath(pathParts, { stream, downstream: hop.to(stream), mark });
          }
          return path.propagate(frames);
        },
        onRefused: (frame, answer) => {
          traceFailure(telemetry, answer, frame, { mark, sentOn: false });
        },
        onEnd: (stream) => {
          closed();
          hop.end(stream);
        },
        drains: parts.drains,
        ...streamOptions,
      });
    },
  });
}

/** The same service on a port for control alone. */
export function controlService(parts: ControlParts): ServiceImplementation {
  return implementService(ChannelEmulatorService, {
    ...controlHandlers(parts),
    propagate: () => {
      throw failedPrecondition('Propagate', 'a stream of symbols', 'this port is for control; symbols go to listen');
    },
  });
}

function openDownstream(
  { receiver, telemetry, feedback, hop }: EmulatorParts,
  upstream: FrameStream,
  mark: StreamMark,
): Downstream {
  return new FrameStreamClient({
    peer: { role: 'receiver-decoder', address: receiver.address },
    origin: ROLE,
    peers: receiver.peers((client) => client.receive()),
    // Not create with frames, which walks through all of them.
    toRequest: (frames) => Object.assign(create(ReceiveRequestSchema), { frames }),
    bytesOf: (frame) => frame.iq.length,
    onResult: (result, frame) => {
      withPassage(result, frame);
      if (result.outcome.case === 'error') traceFailure(telemetry, result, frame, { mark, sentOn: true });
      upstream.answer(result);
    },
    onFeedback: (reports) => {
      for (const report of reports) feedback.send(report, (arrived) => upstream.feedback(arrived));
    },
    onStray: () => telemetry.metrics.countDropped('stray_answer'),
    onState: stateLog(telemetry.limited, 'receiver-decoder'),
    ...hop,
  });
}
