import { Backoff } from './backoff.js';
import { Code, SemlinkError } from './errors.js';
import { defaultBatchLimits, FrameBatch } from './frame-batch.js';
import type { FrameLike, FrameResponse } from './frame-result.js';
import type { FrameStreamClientOptions, StreamState } from './frame-stream-options.js';
import type { SentFrame } from './sent-frame.js';
import { StreamAttempt, type StreamEnd } from './stream-attempt.js';
import { explainEnd } from './stream-failure.js';
import type { StreamPeer } from './stream-peers.js';

/** What a lane needs of the client it belongs to. */
export interface LaneOwner<F extends FrameLike, Req, Res extends FrameResponse, C> {
  readonly options: FrameStreamClientOptions<F, Req, Res, C>;
  readonly reconnectWaitMs: number;
  /** Frames without an answer, queued ones included. */
  readonly inFlight: number;
  /** Nothing further is sent: streams end when their frames have been written and answered. */
  readonly closing: boolean;
  /** A stream was taken by the peer. */
  opened(): void;
  /** Results and feedback of a message; whether any frame of the stream was answered. */
  received(stream: object, message: Res): boolean;
  /** Answers frames with an error. */
  fail(frames: Iterable<SentFrame<F, C>>, error: SemlinkError): void;
  /** Answers what was written to a stream with an error. */
  failWritten(stream: object, error: SemlinkError): void;
  unreachable(peer: StreamPeer<Req, Res>): void;
  movedOn(peer: StreamPeer<Req, Res>): void;
  /** Something may have ended. */
  settle(): void;
  /** The lane wants `check` called now and then. */
  armSweep(): void;
}

/**
 * The way to one peer: frames queue here, and leave in batches on a stream that is opened when there is something to send,
 * opened again when it breaks off or must move on, and again more and more rarely while the peer is out of reach.
 */
export class StreamLane<F extends FrameLike, Req, Res extends FrameResponse, C> {
  readonly peer: StreamPeer<Req, Res>;
  readonly #owner: LaneOwner<F, Req, Res, C>;
  readonly #batch: FrameBatch<SentFrame<F, C>>;
  readonly #backoff: Backoff;
  readonly #streams = new Set<StreamAttempt<Req, Res>>();
  #current: StreamAttempt<Req, Res> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryAt = 0;
  /** Since when the peer has been out of reach, `performance.now()`. */
  #downSince: number | undefined;
  #lastFailure: SemlinkError | undefined;
  #lastState: StreamState | undefined;
  #failQueued: NodeJS.Immediate | undefined;

  constructor(peer: StreamPeer<Req, Res>, owner: LaneOwner<F, Req, Res, C>) {
    this.peer = peer;
    this.#owner = owner;
    this.#batch = new FrameBatch(
      { ...defaultBatchLimits, ...owner.options.batch },
      (frames) => this.#write(frames),
      () => owner.inFlight === this.#batch.length,
    );
    this.#batch.block();
    const { baseMs = 50, maxMs = 1_000, seed = 1 } = owner.options.backoff ?? {};
    this.#backoff = new Backoff(baseMs, maxMs, seed);
  }

  /** Frames that wait for a stream. */
  get queued(): number {
    return this.#batch.length;
  }

  /** Streams that have not ended. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Whether `check` has something to look after besides the frames' deadlines. */
  get opening(): boolean {
    return this.#current !== undefined && !this.#current.open;
  }

  /** Queues a frame and sees to it that there is a stream. */
  push(sent: SentFrame<F, C>): void {
    this.#batch.push(sent, sent.bytes);
    if (!this.#current?.open) this.connect();
  }

  /** Takes back all that was not written yet, in order. */
  takeQueued(): SentFrame<F, C>[] {
    return this.#batch.takeAll().filter(({ answered }) => !answered);
  }

  /** Opens a stream if there is none. */
  connect(): void {
    if (this.#current || this.#retry) return;
    const now = performance.now();
    this.#downSince ??= now;
    if (now < this.#retryAt) {
      // A peer known to be gone: answer at once, and try again when it is time.
      if (now - this.#downSince >= this.#owner.reconnectWaitMs) this.#failQueuedSoon();
      else this.#retry = setTimeout(this.#openNow, this.#retryAt - now);
      return;
    }
    this.#openNow();
  }

  /** Writes a message without frames behind the queued frames; nothing happens while no stream is open. */
  sendControl(request: Req): void {
    if (!this.#current?.open) return;
    this.#batch.flushAll();
    if (this.#current?.open && !this.#current.write(request)) this.#batch.block();
  }

  /** Nothing further will be queued: what is queued leaves, then the stream is half-closed. */
  finish(): void {
    this.#batch.flushAll();
    if (this.#current?.open && this.#batch.length === 0) this.#current.halfClose();
  }

  /** No link goes here any more: the stream ends once it has brought its answers. */
  retire(): void {
    if (this.#batch.length > 0) return;
    this.stopRetrying();
    const stream = this.#current;
    this.#current = undefined;
    this.#batch.block();
    if (stream?.open) stream.halfClose();
    else stream?.cancel();
  }

  /** Every frame has its answer: streams end by themselves, or are made to. */
  endSoon(): void {
    this.stopRetrying();
    for (const stream of this.#streams) stream.endSoon();
  }

  cancel(): void {
    for (const stream of this.#streams) stream.cancel();
  }

  stopRetrying(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  /** To be called now and then: notices what no event tells. */
  check(now: number): void {
    const stream = this.#current;
    stream?.checkOpen(now, () => this.peer.isConnected());
    // A machine that is gone refuses nothing: the attempt just hangs.
    const patience = Math.min(mostPatienceMs, this.#owner.reconnectWaitMs / 2);
    if (this.opening && stream!.age(now) >= patience && !this.peer.isConnected()) this.#owner.unreachable(this.peer);
    // Timed-out frames are the oldest, so those that were still queued stand at the front.
    this.#batch.dropWhile(({ answered }) => answered);
    this.#checkQueued();
  }

  /** The batch's way out; false blocks it until the stream drains or opens. */
  #write(frames: SentFrame<F, C>[]): boolean {
    const stream = this.#current;
    if (!stream?.open) return false;
    const live: F[] = [];
    for (const sent of frames) {
      if (sent.answered) continue;
      sent.stream = stream;
      live.push(sent.frame);
    }
    const writable = live.length === 0 || stream.write(this.#owner.options.toRequest(live));
    if (this.#owner.closing && this.#batch.length === 0) stream.halfClose();
    return writable;
  }

  readonly #openNow = (): void => {
    this.#retry = undefined;
    const stream = new StreamAttempt<Req, Res>(this.peer.open(), {
      onOpen: () => this.#opened(stream),
      onMessage: (message) => this.#received(stream, message),
      onWritable: () => {
        if (this.#current === stream) this.#batch.resume();
      },
      onEnd: (end) => this.#ended(stream, end),
    });
    this.#current = stream;
    this.#streams.add(stream);
    this.#owner.armSweep();
  };

  #opened(stream: StreamAttempt<Req, Res>): void {
    if (this.#current !== stream) return;
    this.#downSince = undefined;
    this.#lastFailure = undefined;
    this.#owner.opened();
    this.#say('open', `connected to ${this.#name()}`);
    const greeting = this.#owner.options.greeting?.();
    if (greeting !== undefined) stream.write(greeting);
    this.#batch.resume();
    if (this.#owner.closing && this.#batch.length === 0) stream.halfClose();
  }

  #received(stream: StreamAttempt<Req, Res>, message: Res): void {
    if (this.#owner.received(stream, message)) stream.answered = true;
    if (message.draining && this.#current === stream) this.#moveOn(stream);
    if (message.results.length > 0) {
      this.#backoff.reset();
      this.#owner.settle();
    }
  }

  /** The peer asked for no more frames here: what was sent is answered on the old stream, the rest goes to a new one. */
  #moveOn(stream: StreamAttempt<Req, Res>): void {
    this.#say('draining', `${this.#name()} is draining`);
    this.#batch.block();
    this.#current = undefined;
    stream.halfClose();
    // A stream that is sent away before it did anything must not become a busy loop.
    this.#retryAt = performance.now() + (stream.answered ? 0 : this.#backoff.next());
    this.#owner.movedOn(this.peer);
    if (this.#batch.length > 0) this.connect();
  }

  #ended(stream: StreamAttempt<Req, Res>, end: StreamEnd): void {
    this.#streams.delete(stream);
    const error = explainEnd(this.#name(), stream.wasOpen, end);
    if (this.#current === stream) {
      this.#current = undefined;
      this.#batch.block();
      const now = performance.now();
      this.#retryAt = now + (stream.answered ? 0 : this.#backoff.next());
      // A stream that ended while nothing was queued is no outage; the next frame opens a new one.
      if (stream.wasOpen) this.#downSince = this.#batch.length > 0 ? now : undefined;
      this.#lastFailure = error;
      if (!this.#owner.closing || this.#batch.length > 0) this.#say('down', error.message);
      if (!stream.wasOpen && end.code === Code.UNAVAILABLE) this.#owner.unreachable(this.peer);
    }
    this.#owner.failWritten(stream, error);
    this.#checkQueued();
    if (!this.#current && this.#batch.length > 0) this.connect();
    this.#owner.settle();
  }

  #say(state: StreamState, detail: string): void {
    // One failed attempt after the other is one outage.
    if (state === 'down' && this.#lastState === 'down') return;
    this.#lastState = state;
    this.#owner.options.onState?.(state, detail);
  }

  #name(): string {
    return `${this.#owner.options.peer.role} at ${this.peer.address}`;
  }

  /** Queued frames have waited long enough for a peer that is down. */
  #checkQueued(): void {
    if (this.#current?.open || this.#downSince === undefined || this.#batch.length === 0) return;
    const now = performance.now();
    const { reconnectWaitMs } = this.#owner;
    if (Math.min(now - this.#downSince, this.#current?.age(now) ?? Infinity) < reconnectWaitMs) return;
    const error =
      this.#lastFailure ??
      new SemlinkError(
        Code.UNAVAILABLE,
        `${this.#name()} did not answer within ${reconnectWaitMs} ms; check that it runs there`,
      );
    this.#owner.fail(this.takeQueued(), error);
    this.#owner.settle();
  }

  #failQueuedSoon(): void {
    this.#failQueued ??= setImmediate(() => {
      this.#failQueued = undefined;
      this.#checkQueued();
    });
  }
}

/** An attempt that hangs for so long makes links go elsewhere, if there is an elsewhere, milliseconds. */
const mostPatienceMs = 1_000;
