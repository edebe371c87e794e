/**
 * The answering end of a hop. Reads frames no faster than they are answered, answers each exactly once, collects answers
 * into messages, and sees the stream through half-close, drain and cancellation.
 */
import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import {
  type ChannelStateFeedback,
  type Draining,
  DrainingSchema,
  type FrameResult,
} from '../gen/semlink/v1/frame_pb.js';
import type { DrainList } from './drain-list.js';
import { alreadyExists, resourceExhausted, type SemlinkError, toGrpcStatus, toSemlinkError } from './errors.js';
import { type BatchLimits, defaultBatchLimits, FrameBatch } from './frame-batch.js';
import { headerProblem } from './frame-header.js';
import { errorResult, type FrameLike, frameOverheadBytes } from './frame-result.js';
import { PendingFrame, PendingFrames } from './pending-frames.js';

/** What goes into one response message. */
export interface ResponseParts {
  results: FrameResult[];
  feedback: ChannelStateFeedback[];
  draining?: Draining;
}

export interface FrameStreamServerOptions<F extends FrameLike, Req, Res> {
  /** Name of this service: `FrameError.origin`. */
  origin: string;
  framesOf: (request: Req) => F[];
  toResponse: (parts: ResponseParts) => Res;
  /** Payload bytes of a frame; a fixed overhead is added to them. */
  bytesOf: (frame: F) => number;
  /**
   * The frames of one message that have a sound header and are not in flight already, in order. While a returned
   * promise is unsettled nothing further is read. What it throws becomes the answer of those frames that have none yet.
   */
  onFrames: (frames: F[], stream: FrameStream) => void | Promise<void>;
  /** Before `onFrames`, for the rest of the message. A throw breaks the stream with the error's status. */
  onRequest?: (request: Req, stream: FrameStream) => void;
  /** A frame was not taken: its header is unsound, its number in use, or its message too large. Its answer is on its way. */
  onRefused?: (frame: F, answer: FrameResult) => void;
  /** The stream is over, for whatever reason; once. */
  onEnd?: (stream: FrameStream) => void;
  /**
   * Reading pauses while so many bytes have been accepted and not answered. Default 8 MiB. grpc-js reads up to 16 messages
   * (the object-mode high-water mark of its streams) ahead of a pause; they lie beyond this window, bounded by the largest
   * message accepted each.
   */
  windowBytes?: number;
  batch?: Partial<BatchLimits>;
  /** Frames beyond this many in one message are answered RESOURCE_EXHAUSTED. Default 4,096. */
  maxFramesPerMessage?: number;
  drains?: DrainList;
  /** Ask the client to move to a new stream after so long, milliseconds, plus or minus a tenth. 0: never. */
  maxStreamAgeMs?: number;
  /** What `Draining` says when the stream has reached its age, milliseconds. Default 10,000. */
  ageDrainLimitMs?: number;
}

/** An open stream, as the code that answers sees it. */
export interface FrameStream {
  /** Aborted when the stream breaks off, by either side: answers have nowhere to go. */
  readonly signal: AbortSignal;
  /** Frames accepted and not answered. */
  readonly inFlight: number;
  /** Answers for frames that were not in flight, which were dropped. */
  readonly strayAnswers: number;
  /** The answer of one frame; false when that frame is not (or no longer) in flight. */
  answer(result: FrameResult): boolean;
  /** The answer "there is none, because" of one frame. */
  fail(frame: FrameLike, error: unknown): boolean;
  /**
   * Channel state on its way back, with the answers that leave within a millisecond or by itself. While the peer reads slowly
   * only the newest of each link is kept.
   */
  feedback(feedback: ChannelStateFeedback): void;
  /** Asks the client to send no more frames here. */
  drain(limitMs: number): void;
  /** Breaks the stream with a status. */
  abort(error: SemlinkError): void;
}

/** Serves one call. Returns the stream's handle; the call lives on until the client has half-closed and has its answers. */
export function serveFrameStream<F extends FrameLike, Req, Res>(
  call: ServerDuplexStream<Req, Res>,
  options: FrameStreamServerOptions<F, Req, Res>,
): FrameStream {
  return new ServedStream(call, options);
}

/** A frame that was taken and, from then on, its answer on the way into a message. */
class TakenFrame extends PendingFrame {
  result: FrameResult | undefined = undefined;
}

class ServedStream<F extends FrameLike, Req, Res> implements FrameStream {
  readonly #call: ServerDuplexStream<Req, Res>;
  readonly #options: FrameStreamServerOptions<F, Req, Res>;
  readonly #windowBytes: number;
  readonly #maxFrames: number;
  readonly #pending = new PendingFrames<TakenFrame>();
  readonly #batch: FrameBatch<TakenFrame>;
  readonly #feedback = new Map<string, ChannelStateFeedback>();
  readonly #abort = new AbortController();
  readonly #undrain: () => void;
  #ageTimer: NodeJS.Timeout | undefined;
  #feedbackTimer: NodeJS.Timeout | undefined;
  /** Bytes of frames whose answers are not with the transport yet. */
  #heldBytes = 0;
  #handling = false;
  #readEnded = false;
  #over = false;
  #draining: Draining | undefined;
  #saidDraining = false;
  #strayAnswers = 0;

  constructor(call: ServerDuplexStream<Req, Res>, options: FrameStreamServerOptions<F, Req, Res>) {
    this.#call = call;
    this.#options = options;
    this.#windowBytes = options.windowBytes ?? 8 * 1024 * 1024;
    this.#maxFrames = options.maxFramesPerMessage ?? 4096;
    this.#batch = new FrameBatch(
      { ...defaultBatchLimits, ...options.batch },
      (answers) => this.#write(answers),
      () => this.#pending.size === 0,
    );
    // At once, so that the client knows that it has been taken and may send.
    call.sendMetadata(new Metadata());
    call.on('data', (request: Req) => this.#read(request));
    call.on('end', () => {
      this.#readEnded = true;
      this.#endWhenDone();
    });
    call.on('drain', () => this.#batch.resume());
    call.on('cancelled', () => this.#finish());
    call.on('close', () => this.#finish());
    this.#undrain = options.drains?.add((limitMs) => this.drain(limitMs)) ?? (() => {});
    this.#armAge();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  get strayAnswers(): number {
    return this.#strayAnswers;
  }

  answer(result: FrameResult): boolean {
    if (this.#over) return false;
    const frame = this.#pending.take(result.linkId, result.sequence);
    if (!frame) {
      this.#strayAnswers++;
      return false;
    }
    frame.result = result;
    this.#batch.push(frame, answerBytes(result));
    return true;
  }

  fail(frame: FrameLike, error: unknown): boolean {
    return this.answer(errorResult(frame.header, error, this.#options.origin));
  }

  feedback(feedback: ChannelStateFeedback): void {
    if (this.#over) return;
    // Deleting first moves a link to the end: the first ones are the stalest.
    this.#feedback.delete(feedback.linkId);
    this.#feedback.set(feedback.linkId, feedback);
    if (this.#feedback.size > mostFeedback) this.#feedback.delete(this.#feedback.keys().next().value!);
    // A message of its own costs as much as that of the answer which is about to come.
    if (this.#pending.size === 0) this.#batch.schedule();
    else this.#feedbackTimer ??= setTimeout(() => this.#sendFeedback(), feedbackWaitMs);
  }

  drain(limitMs: number): void {
    if (this.#over || this.#draining) return;
    this.#draining = create(DrainingSchema, { limitNanos: BigInt(Math.round(limitMs)) * 1_000_000n });
    this.#batch.schedule();
  }

  abort(error: SemlinkError): void {
    // Answers that are there already still leave.
    this.#batch.flushAll();
    if (this.#over) return;
    this.#call.emit('error', toGrpcStatus(error));
    this.#finish();
  }

  #read(request: Req): void {
    if (this.#over) return;
    try {
      this.#options.onRequest?.(request, this);
    } catch (error) {
      this.abort(toSemlinkError(error));
      return;
    }
    const frames = this.#options.framesOf(request);
    const accepted: F[] = [];
    for (let index = 0; index < frames.length; index++) {
      const frame = frames[index]!;
      const problem = index >= this.#maxFrames ? tooMany(frames.length, this.#maxFrames) : headerProblem(frame.header);
      if (problem) this.#refuse(frame, problem);
      else if (this.#accept(frame)) accepted.push(frame);
    }
    if (accepted.length > 0) this.#handle(accepted);
    this.#pace();
  }

  #accept(frame: F): boolean {
    const { linkId, sequence } = frame.header!;
    const bytes = this.#options.bytesOf(frame) + frameOverheadBytes;
    if (this.#pending.add(new TakenFrame(linkId, sequence, bytes))) {
      this.#heldBytes += bytes;
      return true;
    }
    const todo = 'a frame with it is in flight on this stream; number the frames of a link without repeats';
    this.#refuse(frame, alreadyExists(`sequence of link "${linkId}"`, sequence, todo));
    return false;
  }

  /** Answers a frame that was never accepted; its answer counts against the window until it is sent, too. */
  #refuse(frame: F, problem: SemlinkError): void {
    this.#heldBytes += frameOverheadBytes;
    const result = errorResult(frame.header, problem, this.#options.origin);
    this.#options.onRefused?.(frame, result);
    const refused = new TakenFrame(result.linkId, result.sequence, frameOverheadBytes);
    refused.result = result;
    this.#batch.push(refused, answerBytes(result));
  }

  #handle(frames: F[]): void {
    const failed = (error: unknown): void => {
      for (const frame of frames) {
        if (this.#pending.has(frame.header!.linkId, frame.header!.sequence)) this.fail(frame, error);
      }
    };
    try {
      const busy = this.#options.onFrames(frames, this);
      if (!busy) return;
      this.#handling = true;
      busy.catch(failed).finally(() => {
        this.#handling = false;
        this.#pace();
      });
    } catch (error) {
      failed(error);
    }
  }

  /** Reads on, or not. */
  #pace(): void {
    if (this.#over) return;
    const hold = this.#handling || this.#heldBytes >= this.#windowBytes;
    if (hold) this.#call.pause();
    else if (this.#call.isPaused()) this.#call.resume();
  }

  #write(answered: TakenFrame[]): boolean {
    if (this.#over) return false;
    const parts: ResponseParts = { results: [], feedback: [] };
    if (this.#feedback.size > 0) {
      parts.feedback = [...this.#feedback.values()];
      this.#feedback.clear();
      this.#disarmFeedback();
    }
    for (const { result, bytes } of answered) {
      parts.results.push(result!);
      this.#heldBytes -= bytes;
    }
    if (this.#draining && !this.#saidDraining) {
      this.#saidDraining = true;
      parts.draining = this.#draining;
    }
    const empty = parts.results.length === 0 && parts.feedback.length === 0 && !parts.draining;
    const writable = empty || this.#call.write(this.#options.toResponse(parts));
    this.#pace();
    this.#endWhenDone();
    return writable;
  }

  #endWhenDone(): void {
    if (this.#over || !this.#readEnded || this.#handling) return;
    if (this.#pending.size > 0 || this.#batch.length > 0) return;
    this.#call.end();
    this.#finish('answered');
  }

  #finish(how: 'answered' | 'broken' = 'broken'): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#ageTimer);
    this.#undrain();
    this.#batch.takeAll();
    this.#feedback.clear();
    this.#disarmFeedback();
    if (how === 'broken') this.#abort.abort();
    this.#options.onEnd?.(this);
  }

  #sendFeedback(): void {
    this.#feedbackTimer = undefined;
    this.#batch.schedule();
  }

  #disarmFeedback(): void {
    clearTimeout(this.#feedbackTimer);
    this.#feedbackTimer = undefined;
  }

  #armAge(): void {
    const age = this.#options.maxStreamAgeMs ?? 0;
    if (age <= 0) return;
    const limitMs = this.#options.ageDrainLimitMs ?? 10_000;
    this.#ageTimer = setTimeout(() => this.drain(limitMs), age * (0.9 + Math.random() * 0.2));
    this.#ageTimer.unref();
  }
}

const feedbackWaitMs = 1;
/** Feedback held for a slow reader, links. */
const mostFeedback = 1024;

function answerBytes({ outcome }: FrameResult): number {
  if (outcome.case === 'classification') return 96 + 4 * outcome.value.probabilities.length;
  return outcome.case === 'error' ? 128 + outcome.value.message.length : 96;
}

function tooMany(count: number, limit: number): SemlinkError {
  return resourceExhausted('frames in one message', count, `send at most ${limit}; those beyond were not taken`);
}
