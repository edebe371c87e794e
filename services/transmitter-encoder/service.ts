import { create } from '@bufbuild/protobuf';
import type { FedBackState, RateDecision } from '../../shared/codec/rate-control.js';
import type { EngineTimings, ServedModels } from '../../shared/codec/served-models.js';
import { encodeSymbols } from '../../shared/codec/symbols.js';
import {
  type ChannelEmulatorService,
  type PropagateRequest,
  PropagateRequestSchema,
  type PropagateResponse,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type {
  ChannelStateFeedback,
  ImageFrame,
  SymbolFormat,
  SymbolFrame,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  ListModelsResponseSchema,
  ModelInfoSchema,
  TransmitResponseSchema,
  TransmitterEncoderService,
} from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import { CLIENT_TRACES_KEY } from '../../shared/rpc/client-traces.js';
import type { DrainList } from '../../shared/rpc/drain-list.js';
import { invalidArgument } from '../../shared/rpc/errors.js';
import { errorResult } from '../../shared/rpc/frame-result.js';
import { type FrameStream, serveFrameStream } from '../../shared/rpc/frame-stream-server.js';
import type { MergedHop } from '../../shared/rpc/merged-hop.js';
import { MergingRelay } from '../../shared/rpc/merging-relay.js';
import type { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import type { StreamLimits } from '../../shared/rpc/server-config.js';
import { stateLog } from '../../shared/rpc/state-log.js';
import {
  ATTRIBUTES,
  type FrameTrace,
  nowUnixNano,
  type StreamMark,
  type Telemetry,
} from '../../shared/telemetry/index.js';
import type { EncodeJob } from './image-codec.js';
import { InOrder } from './in-order.js';
import type { LinkTable } from './links.js';
import type { ModelChoice } from './model-choice.js';
import { policyFrom } from './policy.js';
import { traceAnswer, traceEncoding } from './spans.js';

export const ROLE = 'transmitter-encoder';

export interface TransmitterParts {
  models: ServedModels<EncodeJob, Float32Array>;
  choice: ModelChoice;
  links: LinkTable;
  channel: PinnedClients<typeof ChannelEmulatorService.method>;
  telemetry: Telemetry;
  drains: DrainList;
  symbolFormat: SymbolFormat;
  stream: StreamLimits & { maxStreamAgeMs: number; ageDrainLimitMs: number };
  hop: StreamLimits & { frameTimeoutMs: number; reconnectWaitMs: number };
}

type Hop = MergedHop<SymbolFrame, Leaving>;

/** Where the frames of a message came from and go to, and when they came. */
export interface Taken {
  stream: FrameStream;
  hop: Hop;
  inOrder: InOrder;
  mark: StreamMark;
  unixNano: bigint;
  ms: number;
  /** Whether the client traces its images by itself. */
  clientTraces: boolean;
  /** Of a sampled frame, which has a copy of its own. */
  trace: FrameTrace | undefined;
}

/** A frame on its way to the air, and what its link had sent before it (`LinkTable.leave`). */
interface Leaving {
  hop: Hop;
  taken: Taken;
  sent: number;
}

/** A frame on its way through the encoder. */
interface Encoding {
  frame: ImageFrame;
  modelVersion: string;
  decision: RateDecision;
  taken: Taken;
}

/** Maps the stream of images to the encoder and its symbols to the channel-emulator. */
export function transmitterService(parts: TransmitterParts) {
  const relay = relayTo(parts);
  parts.telemetry.metrics.trackQueue('channel', () => relay.bytesInFlight);
  return implementService(TransmitterEncoderService, {
    listModels: () => create(ListModelsResponseSchema, { models: modelInfos(parts) }),
    transmit: (call) => {
      const { telemetry } = parts;
      const mark = telemetry.tracer.markStream('Transmit', nowUnixNano(), { [ATTRIBUTES.peer]: call.getPeer() });
      const clientTraces = call.metadata.get(CLIENT_TRACES_KEY).length > 0;
      const closed = telemetry.metrics.streamOpened('served');
      let hop: Hop | undefined;
      const inOrder = new InOrder();
      serveFrameStream(call, {
        origin: ROLE,
        framesOf: (request) => request.frames,
        toResponse: (response) => {
          telemetry.metrics.observeAnswers(response.results, nowUnixNano());
          // Not create with them, which walks through all of them.
          return Object.assign(create(TransmitResponseSchema), response);
        },
        bytesOf: (frame) => frame.rgb.length,
        onRequest: (request) => {
          for (const policy of request.policies) parts.links.setPolicy(policy.linkId, policyFrom(policy));
        },
        onFrames: (frames, stream) => {
          let bytes = 0;
          for (const { rgb } of frames) bytes += rgb.length;
          telemetry.metrics.addReceivedBytes(bytes);
          // Not before: a stream that sends nothing needs none.
          hop ??= relay.hop(stream);
          const taken: Taken = {
            stream,
            hop,
            inOrder,
            mark,
            unixNano: nowUnixNano(),
            ms: Date.now(),
            clientTraces,
            trace: undefined,
          };
          for (const frame of frames) takeFrame(parts, frame, taken);
        },
        onRefused: ({ header }, answer) => {
          const now = nowUnixNano();
          traceAnswer(telemetry, answer, header, { mark, unixNano: now, clientTraces, trace: undefined });
        },
        onEnd: () => {
          closed();
          hop?.end();
        },
        ...parts.stream,
        drains: parts.drains,
      });
    },
  });
}

/** The way of all streams to the channel-emulator. */
function relayTo(parts: TransmitterParts): MergingRelay<SymbolFrame, PropagateRequest, PropagateResponse, Leaving> {
  const { channel, links, telemetry } = parts;
  return new MergingRelay({
    peer: { role: 'channel-emulator', address: channel.address },
    origin: ROLE,
    peers: channel.peers((client) => client.propagate()),
    toRequest: (frames) => Object.assign(create(PropagateRequestSchema), { frames }),
    bytesOf: (frame) => frame.iq.length,
    onResult: (result, { taken, sent }, frame) => {
      if (result.position !== undefined) links.arrived(result.linkId, sent, Number(result.position));
      if (taken.trace || result.outcome.case === 'error') traceAnswer(telemetry, result, frame.header, taken, frame);
      taken.stream.answer(result);
    },
    onFeedback: (feedback, upstream) => {
      links.update(feedback.linkId, stateFrom(feedback));
      upstream?.feedback(feedback);
    },
    onStray: () => telemetry.metrics.countDropped('stray_answer'),
    onState: stateLog(telemetry.limited, 'channel-emulator'),
    onOpen: () => telemetry.metrics.streamOpened('called'),
    brokenOff: 'the stream of images broke off',
    ...parts.hop,
  });
}

/** Checks one image, decides its length and has it encoded and sent on. What is wrong with it becomes its answer. */
function takeFrame(parts: TransmitterParts, frame: ImageFrame, message: Taken): void {
  const { metrics, tracer } = parts.telemetry;
  const { stream } = message;
  const trace = tracer.enter(frame.header!, message.clientTraces);
  const taken = trace ? { ...message, trace } : message;
  const fail = (error: unknown) => failFrame(parts, frame, taken, error);
  try {
    const { linkId, modelVersion } = frame.header!;
    const model = parts.models.get(modelVersion || parts.choice.of(linkId));
    const { manifest } = model;
    checkImage(frame, manifest.network, manifest.version);
    checkLabel(frame.header!.trueLabel, manifest.classNames.length, manifest.version);
    const decision = parts.links.decide(linkId, manifest, taken.ms);
    if (!manifest.channelUses.includes(decision.channelUses)) {
      throw invalidArgument(
        'channel uses of the policy',
        decision.channelUses,
        `${manifest.version} has ${manifest.channelUses.join(', ')}`,
      );
    }
    const age = decision.ageMs === undefined ? undefined : decision.ageMs / 1e3;
    metrics.observeRateDecision(linkId, decision.channelUses, decision.reason, age);
    const encoding: Encoding = { frame, modelVersion: manifest.version, decision, taken };
    const job: EncodeJob = { rgb: frame.rgb, snrDb: decision.snrDb, channelUses: decision.channelUses };
    const ready = taken.inOrder.place();
    const encoded: Parameters<typeof model.submit>[1] = (done, error) => {
      ready(() => {
        if (!done || error) fail(error);
        else sendOn(parts, encoding, done.result, done.timings);
      });
    };
    try {
      model.submit(job, encoded, { linkId, signal: stream.signal });
    } catch (error) {
      ready(() => fail(error));
    }
  } catch (error) {
    fail(error);
  }
}

/** Answers a frame that has failed here. */
function failFrame({ telemetry }: TransmitterParts, { header }: ImageFrame, taken: Taken, error: unknown): void {
  const result = errorResult(header, error, ROLE);
  traceAnswer(telemetry, result, header, taken, undefined, error);
  taken.stream.answer(result);
}

function sendOn(parts: TransmitterParts, encoding: Encoding, symbols: Float32Array, timings: EngineTimings): void {
  const { frame, decision, modelVersion, taken } = encoding;
  const { stream, hop } = taken;
  try {
    const { iq, scale } = encodeSymbols(parts.symbolFormat, symbols);
    if (taken.trace) traceEncoding(parts.telemetry, encoding, taken.trace, timings);
    const { position, sent } = parts.links.leave(frame.header!.linkId, decision.channelUses);
    // As literals: `create` takes several times as long, and this is done for every frame.
    const out: SymbolFrame = {
      $typeName: 'semlink.v1.SymbolFrame',
      // The receiver must decode with the model that encoded, whatever its own default is.
      header: { ...frame.header!, modelVersion, ...(taken.trace && { traceparent: taken.trace.traceparent }) },
      format: parts.symbolFormat,
      channelUses: decision.channelUses,
      sc16Scale: scale,
      iq,
      assumedSnrDb: decision.snrDb,
      position: BigInt(position),
      timings: {
        $typeName: 'semlink.v1.StageTimings',
        encodeQueueNanos: BigInt(timings.queueNanos),
        encodeNanos: BigInt(timings.computeNanos),
        channelNanos: 0n,
        decodeQueueNanos: 0n,
        decodeNanos: 0n,
        airNanos: 0n,
        airWaitNanos: 0n,
        delayNanos: 0n,
      },
    };
    // The upstream window bounds what can wait here: a frame counts against it until it is answered.
    hop
      .send(out, { hop, taken, sent }, stream.signal)
      ?.catch((error: unknown) => failFrame(parts, frame, taken, error));
  } catch (error) {
    failFrame(parts, frame, taken, error);
  }
}

function checkImage(frame: ImageFrame, { width, height }: { width: number; height: number }, model: string): void {
  if (frame.width !== width || frame.height !== height) {
    throw invalidArgument(
      'image size',
      `${frame.width} x ${frame.height}`,
      `resize to ${width} x ${height} for ${model}`,
    );
  }
  if (frame.rgb.length !== width * height * 3) {
    throw invalidArgument('length of rgb', `${frame.rgb.length} bytes`, `send ${width * height * 3}: rows of R, G, B`);
  }
}

/** A label the model cannot answer with would count as a mistake for ever. */
function checkLabel(trueLabel: number | undefined, classes: number, model: string): void {
  if (trueLabel === undefined || trueLabel < classes) return;
  throw invalidArgument('true_label', trueLabel, `${model} has the classes 0 to ${classes - 1}; or leave it out`);
}

function stateFrom(feedback: ChannelStateFeedback): FedBackState {
  return {
    channelModel: feedback.channelModel,
    snrDb: feedback.snrDb,
    measuredAtMs: Number(feedback.measuredTimeUnixNano / 1_000_000n),
  };
}

function modelInfos({ models, choice }: TransmitterParts) {
  return models.all().map(({ manifest }) =>
    create(ModelInfoSchema, {
      version: manifest.version,
      width: manifest.network.width,
      height: manifest.network.height,
      classNames: manifest.classNames,
      channelUses: manifest.channelUses,
      default: manifest.version === models.defaultVersion,
      share: choice.shareOf(manifest.version),
    }),
  );
}
