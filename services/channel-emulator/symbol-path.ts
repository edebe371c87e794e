import { create } from '@bufbuild/protobuf';
import { kernelOf } from '../../shared/channel/kernel/kernel.js';
import { decodeSymbols, encodeSymbols, maxChannelUses } from '../../shared/codec/symbols.js';
import {
  ChannelEstimateSchema,
  type FrameResult,
  StageTimingsSchema,
  type SymbolFrame,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import type { ReceiveRequest, ReceiveResponse } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { Code, invalidArgument, resourceExhausted, SemlinkError, toSemlinkError } from '../../shared/rpc/errors.js';
import { errorResult, frameOverheadBytes } from '../../shared/rpc/frame-result.js';
import type { FrameStreamClient } from '../../shared/rpc/frame-stream-client.js';
import type { FrameStream } from '../../shared/rpc/frame-stream-server.js';
import { ATTRIBUTES, nowUnixNano, SPANS, type StreamMark, type Telemetry } from '../../shared/telemetry/index.js';
import type { DelayQueue } from './air/delay-queue.js';
import { estimateFrom } from './feedback/pilot-estimate.js';
import type { Links, Passage } from './links.js';
import type { AirRecorder } from './recording/air-recorder.js';
import type { SymbolTaps } from './symbols/symbol-taps.js';

const kernel = kernelOf('wasm');

/** `FrameError.origin` of what is said here. */
export const ROLE = 'channel-emulator';

export type Downstream = FrameStreamClient<SymbolFrame, ReceiveRequest, ReceiveResponse, SymbolFrame>;

export interface SymbolPathParts {
  readonly links: Links;
  readonly telemetry: Telemetry;
  /** Holds frames that are on the air in real time. */
  readonly queue: DelayQueue;
  /** Writes down what passes. */
  readonly recorder?: AirRecorder | undefined;
  /** Shows what passes to who watches it. */
  readonly taps: SymbolTaps;
  /** Bytes of frames without an answer that the stream may have. */
  readonly windowBytes: number;
}

/**
 * Where several links share a stream, one may hold so much of its window while its frames are on the air: the others have
 * the rest. A link alone on its stream may fill it, and then is read no further.
 */
const linkShare = 1 / 4;

/** Links that a stream remembers to have seen. */
const mostLinks = 16_384;

/** 2^52 symbols: at any rate of symbols centuries, and whole numbers stay whole. */
const largestPosition = 2n ** 52n;

/** The frames of one stream on their way from the transmitter over the air to the receiver. */
export class SymbolPath {
  readonly #parts: SymbolPathParts;
  readonly #stream: FrameStream;
  readonly #downstream: Downstream;
  readonly #mark: StreamMark;
  /** Bytes on the air in real time, by link. */
  readonly #held = new Map<string, number>();
  /** Link of the stream's first frame; undefined once there was another. */
  #onlyLink: string | undefined = '';
  /** Links that have come on this stream. */
  readonly #links = new Set<string>();

  constructor(parts: SymbolPathParts, ends: { stream: FrameStream; downstream: Downstream; mark: StreamMark }) {
    this.#parts = parts;
    this.#stream = ends.stream;
    this.#downstream = ends.downstream;
    this.#mark = ends.mark;
  }

  /**
   * Sends the frames of one message over the air and on. Frames of a link keep their order; a frame that an outside process
   * has (the `external` model), or that is on the air in real time, does not hold up other links. Returns a promise, which
   * stops the reading of further ones, only when the way to the receiver is full.
   */
  propagate(frames: SymbolFrame[]): Promise<void> | undefined {
    let bytes = 0;
    for (const { iq } of frames) bytes += iq.length;
    this.#parts.telemetry.metrics.addReceivedBytes(bytes);
    return this.#propagateFrom(frames, 0);
  }

  #propagateFrom(frames: SymbolFrame[], start: number): Promise<void> | undefined {
    const takenUnixNano = nowUnixNano();
    for (let i = start; i < frames.length; i++) {
      const full = this.#propagateOne(frames[i]!, takenUnixNano);
      if (full) return full.then(() => this.#propagateFrom(frames, i + 1));
    }
    return undefined;
  }

  /** Replaces the symbols of a frame by what arrives, when it arrives. What is wrong with it becomes its answer. */
  #propagateOne(frame: SymbolFrame, takenUnixNano: bigint): Promise<void> | undefined {
    const { links, recorder, taps } = this.#parts;
    try {
      const { linkId, sequence } = frame.header!;
      if (this.#onlyLink !== undefined && this.#onlyLink !== linkId) this.#newLink(linkId);
      if (!this.#links.has(linkId)) this.#firstOf(linkId, frame.position);
      if (this.#held.size > 0 && this.#onlyLink === undefined) this.#checkShare(linkId, frame);
      if (!links.isOutside(linkId)) {
        const symbols = decodeSymbols(frame, this.#room(frame.channelUses));
        const sent = recorder?.copySent(symbols);
        const watched = taps.copySent(linkId, symbols);
        const passage = links.propagate(linkId, symbols);
        if (watched) taps.show({ linkId, sequence }, watched, symbols, passage);
        if (recorder) this.#record(recorder, frame, sent, symbols, passage);
        return this.#over(frame, symbols, passage, takenUnixNano);
      }
      const symbols = decodeSymbols(frame);
      const sent = recorder?.copySent(symbols);
      const watched = taps.copySent(linkId, symbols);
      void links.propagateOutside(linkId, symbols).then(
        (passage) => {
          if (watched) taps.show({ linkId, sequence }, watched, symbols, passage);
          if (recorder) this.#record(recorder, frame, sent, symbols, passage);
          return this.#over(frame, symbols, passage, takenUnixNano);
        },
        (error: unknown) => this.#fail(frame, error, takenUnixNano),
      );
    } catch (error) {
      this.#fail(frame, error, takenUnixNano);
    }
    return undefined;
  }

  /** The air has done to the frame what it does: holds it while it is on its way. */
  #over(frame: SymbolFrame, symbols: Float32Array, passage: Passage, takenUnixNano: bigint): Promise<void> | undefined {
    try {
      this.#write(frame, symbols, passage);
    } catch (error) {
      this.#fail(frame, error, takenUnixNano);
      return undefined;
    }
    const { arrivesAtMs } = passage.time;
    if (arrivesAtMs === undefined) return this.#arrive(frame, passage, takenUnixNano);
    const { linkId } = frame.header!;
    const bytes = frame.iq.length + frameOverheadBytes;
    this.#parts.telemetry.metrics.channel.observeTime(passage.time);
    this.#held.set(linkId, (this.#held.get(linkId) ?? 0) + bytes);
    this.#parts.queue.at(arrivesAtMs, () => {
      const rest = this.#held.get(linkId)! - bytes;
      if (rest > 0) this.#held.set(linkId, rest);
      else this.#held.delete(linkId);
      // While the receiver takes no more, frames wait before it; the window of the stream bounds how many.
      if (!this.#stream.signal.aborted) void this.#arrive(frame, passage, takenUnixNano);
    });
    return undefined;
  }

  /** Puts what arrives into the frame. @throws SemlinkError when a symbol of it is not finite */
  #write(frame: SymbolFrame, symbols: Float32Array, passage: Passage): void {
    // What arrives takes the place of what was sent.
    const { iq, scale } = encodeSymbols(frame.format, symbols, undefined, frame.iq);
    const { gains, blockSymbols, noisePower, model, snrDb, position, time } = passage;
    frame.iq = iq;
    frame.sc16Scale = scale;
    // As create would make it, at a tenth of its cost.
    frame.channel = {
      $typeName: 'semlink.v1.ChannelState',
      model,
      snrDb,
      noisePower,
      gains,
      blockSymbols,
      position: BigInt(position),
      measuredTimeUnixNano: 0n,
    };
    frame.timings ??= create(StageTimingsSchema);
    frame.timings.airNanos = nanos(time.airMs);
    if (time.waitMs > 0) frame.timings.airWaitNanos = nanos(time.waitMs);
    if (time.delayMs > 0) frame.timings.delayNanos = nanos(time.delayMs);
    const { linkId } = frame.header!;
    const { pilots } = this.#parts.links.settingsOf(linkId).feedback;
    if (!pilots || passage.erased) return;
    const link = { random: this.#parts.links.randomOf(linkId), position };
    frame.channel.estimate = create(ChannelEstimateSchema, estimateFrom(pilots, passage, link, frame.channelUses));
  }

  /** A frame that is there: sends it on, unless the air has lost it. */
  #arrive(frame: SymbolFrame, passage: Passage, takenUnixNano: bigint): Promise<void> | undefined {
    const measuredTimeUnixNano = nowUnixNano();
    frame.channel!.measuredTimeUnixNano = measuredTimeUnixNano;
    frame.timings!.channelNanos = measuredTimeUnixNano - takenUnixNano;
    if (passage.erased) {
      this.#parts.telemetry.metrics.channel.countLost(frame.header!.linkId, 'erased');
      this.#fail(frame, lost(passage), takenUnixNano);
      return undefined;
    }
    if (frame.header!.traceparent !== '') this.#recordSpan(frame, passage, takenUnixNano, measuredTimeUnixNano);
    try {
      const { signal } = this.#stream;
      return this.#downstream
        .send(frame, frame, signal)
        ?.catch((error: unknown) => this.#answerError(frame, error, { sentOn: true }));
    } catch (error) {
      this.#answerError(frame, error, { sentOn: true });
      return undefined;
    }
  }

  #record(
    recorder: AirRecorder,
    { header }: SymbolFrame,
    sent: Float32Array | undefined,
    received: Float32Array,
    passage: Passage,
  ): void {
    const { linkId, sequence } = header!;
    const { model, snrDb, position } = passage;
    const frame = { linkId, sequence, model, snrDb, position, timeUnixNano: nowUnixNano() };
    recorder.record(frame, sent, received, passage);
  }

  /** Where the kernel works on symbols without copying them; used from the decoding of a frame to its encoding. */
  #room(channelUses: number): Float32Array | undefined {
    return channelUses >= 1 && channelUses <= maxChannelUses ? kernel.room(channelUses) : undefined;
  }

  /** The stream's first frame of a link, which may have been elsewhere before. @throws SemlinkError INVALID_ARGUMENT */
  #firstOf(linkId: string, position: bigint): void {
    if (position > largestPosition) {
      throw invalidArgument(
        'position',
        position,
        `use the symbols that the link has carried, at most ${largestPosition}`,
      );
    }
    // Once more is no harm; remembering every link there ever was would cost memory.
    if (this.#links.size >= mostLinks) this.#links.clear();
    this.#links.add(linkId);
    if (position > 0n) this.#parts.links.goOn(linkId, Number(position));
  }

  #newLink(linkId: string): void {
    this.#onlyLink = this.#onlyLink === '' ? linkId : undefined;
  }

  #checkShare(linkId: string, frame: SymbolFrame): void {
    const held = this.#held.get(linkId) ?? 0;
    const most = linkShare * this.#parts.windowBytes;
    if (held === 0 || held + frame.iq.length + frameOverheadBytes <= most) return;
    throw resourceExhausted(
      `frames on the air of link "${linkId}"`,
      `${held} bytes`,
      `a link may hold ${most} of the stream's window: send more slowly, or raise stream-window-bytes`,
      undefined,
      'air_busy',
    );
  }

  #recordSpan(frame: SymbolFrame, { model, snrDb }: Passage, takenUnixNano: bigint, endUnixNano: bigint): void {
    const { traceparent, linkId, sequence } = frame.header!;
    this.#parts.telemetry.tracer.recordSpan(SPANS.propagate, traceparent, takenUnixNano, endUnixNano, {
      stream: this.#mark,
      attributes: {
        [ATTRIBUTES.link]: linkId,
        [ATTRIBUTES.sequence]: Number(sequence),
        [ATTRIBUTES.channelUses]: frame.channelUses,
        [ATTRIBUTES.channelModel]: model,
        [ATTRIBUTES.snrDb]: snrDb,
      },
    });
  }

  /** Answers a frame with what was wrong, and says so in its trace. */
  #fail(frame: SymbolFrame, error: unknown, takenUnixNano: bigint): void {
    const { linkId } = frame.header!;
    const known = toSemlinkError(error);
    const { metrics } = this.#parts.telemetry;
    if (known.code === Code.RESOURCE_EXHAUSTED && !frame.channel) metrics.channel.countLost(linkId, 'queue_full');
    this.#answerError(frame, known, { sentOn: false, takenUnixNano });
  }

  #answerError(frame: SymbolFrame, error: unknown, here: { sentOn: boolean; takenUnixNano?: bigint }): void {
    const result = withPassage(errorResult(frame.header, error, ROLE), frame);
    traceFailure(this.#parts.telemetry, result, frame, { mark: this.#mark, ...here, cause: error });
    this.#stream.answer(result);
  }
}

/**
 * The answer of a failed frame passes: the span of what was done to it here, unless it was sampled and has passed the air,
 * for then it was recorded at the time.
 *
 * @param here.sentOn it has been over the air and was to go on to the receiver
 * @param here.takenUnixNano when it came; not needed where its timings tell
 * @param here.cause what was thrown, of a frame that failed here
 */
export function traceFailure(
  { tracer, failures }: Telemetry,
  { outcome }: FrameResult,
  { header, timings, channel, channelUses }: SymbolFrame,
  here: { mark: StreamMark; sentOn: boolean; takenUnixNano?: bigint; cause?: unknown },
): void {
  if (outcome.case !== 'error') return;
  const error = outcome.value;
  const traceId = failures.note(header, error, here.cause);
  if (!header || !traceId) return;
  const context = tracer.contextOf(header, traceId);
  if (here.sentOn && context === header.traceparent) return;
  const overTheAir = channel?.measuredTimeUnixNano ?? 0n;
  const end = overTheAir || nowUnixNano();
  const start = overTheAir ? end - (timings?.channelNanos ?? 0n) : (here.takenUnixNano ?? end);
  tracer.recordSpan(SPANS.propagate, context, start, end, {
    stream: here.mark,
    error: error.origin === ROLE ? error.message : undefined,
    attributes: {
      [ATTRIBUTES.link]: header.linkId,
      [ATTRIBUTES.sequence]: Number(header.sequence),
      [ATTRIBUTES.channelUses]: channelUses,
      ...(channel && { [ATTRIBUTES.channelModel]: channel.model, [ATTRIBUTES.snrDb]: channel.snrDb }),
      [ATTRIBUTES.errorCode]: error.code,
      [ATTRIBUTES.errorOrigin]: error.origin,
    },
  });
}

/**
 * Where the link was at a frame that has passed the air; and where that failed afterwards, that it has cost the air all the
 * same.
 */
export function withPassage(result: FrameResult, frame: SymbolFrame): FrameResult {
  if (frame.channel) result.position = frame.channel.position;
  if (result.outcome.case !== 'error' || result.channelUses > 0 || !frame.channel) return result;
  result.channelUses = frame.channelUses;
  result.payloadBytes = frame.iq.length;
  result.snrDb = frame.channel.snrDb;
  result.channelModel = frame.channel.model;
  result.timings ??= frame.timings;
  return result;
}

function lost({ model, position }: Passage): SemlinkError {
  return new SemlinkError(
    Code.DATA_LOSS,
    `the air lost the frame (model ${model}, position ${position}); send again, or expect it: losses are part of the channel`,
  );
}

function nanos(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}
