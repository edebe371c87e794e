import type { FrameResult } from '../gen/semlink/v1/frame_pb.js';
import { Backoff } from './backoff.js';
import { ByteWindow } from './byte-window.js';
import { alreadyExists, Code, SemlinkError } from './errors.js';
import { defaultBatchLimits, FrameBatch } from './frame-batch.js';
import { errorResult, type FrameLike, type FrameResponse, frameOverheadBytes } from './frame-result.js';
import type { FrameStreamClientOptions, StreamState } from './frame-stream-options.js';
import { PendingFrame, PendingFrames } from './pending-frames.js';
import { StreamAttempt, type StreamEnd } from './stream-attempt.js';
import { explainEnd } from './stream-failure.js';

class SentFrame<F extends FrameLike, C> extends PendingFrame {
  readonly frame: F;
  readonly context: C;
  /** `performance.now()` after which the frame is answered here. */
  readonly deadline: number;
  /** The stream it was written to; undefined while queued. */
  stream: object | undefined;
  answered = false;

  constructor(frame: F, context: C, bytes: number, deadline: number) {
    super(frame.header?.linkId ?? '', frame.header?.sequence ?? 0n, bytes);
    this.frame = frame;
    this.context = context;
    this.deadline = deadline;
    this.stream = undefined;
  }
}

export class FrameStreamClient<F extends FrameLike, Req, Res extends FrameResponse, C = undefined> {
  readonly #options: FrameStreamClientOptions<F, Req, Res, C>;
  readonly #frameTimeoutMs: number;
  readonly #reconnectWaitMs: number;
  readonly #window: ByteWindow;
  readonly #pending = new PendingFrames<SentFrame<F, C>>();
  readonly #batch: FrameBatch<SentFrame<F, C>>;
  readonly #backoff: Backoff;
  readonly #streams = new Set<StreamAttempt<Req, Res>>();
  #current: StreamAttempt<Req, Res> | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryAt = 0;
  /** Since when the peer has been out of reach, `performance.now()`. */
  #downSince: number | undefined;
  #lastFailure: SemlinkError | undefined;
  #lastState: StreamState | undefined;
  #failQueued: NodeJS.Immediate | undefined;
  #closing: SemlinkError | undefined;
  #closed: (() => void)[] = [];
  #strayResults = 0;
  #streamsOpened = 0;

  constructor(options: FrameStreamClientOptions<F, Req, Res, C>) {
    this.#options = options;
    this.#frameTimeoutMs = options.frameTimeoutMs ?? 30_000;
    this.#reconnectWaitMs = options.reconnectWaitMs ?? 2_000;
    this.#window = new ByteWindow(options.windowBytes ?? 8 * 1024 * 1024);
    this.#batch = new FrameBatch({ ...defaultBatchLimits, ...options.batch }, (frames) => this.#write(frames));
    this.#batch.block();
    const { baseMs = 50, maxMs = 1_000, seed = 1 } = options.backoff ?? {};
    this.#backoff = new Backoff(baseMs, maxMs, seed);
  }

  /** Frames that have no answer yet. */
  get inFlight(): number {
    return this.#pending.size;
  }

  /** Bytes queued and in flight. */
  get bytesInFlight(): number {
    return this.#window.used;
  }

  /** Results for frames that were not in flight: unknown, answered twice, or answered after their time. */
  get strayResults(): number {
    return this.#strayResults;
  }

  get streamsOpened(): number {
    return this.#streamsOpened;
  }

  /** Opens the stream ahead of the first frame. */
  connect(): void {
    if (!this.#closing) this.#ensureStream();
  }

  /**
   * Sends a frame if the window has room; false: nothing was sent, use `send` to wait.
   * @throws SemlinkError ALREADY_EXISTS when (link, sequence) is in flight, CANCELLED after `close` or `cancel`.
   */
  trySend(frame: F, context: C): boolean {
    this.#checkSendable(frame);
    const bytes = this.#options.bytesOf(frame) + frameOverheadBytes;
    if (!this.#window.tryAcquire(bytes)) return false;
    this.#admit(frame, context, bytes);
    return true;
  }

  /**
   * Sends a frame. Returns undefined when the window had room, else a promise that resolves once the frame is admitted
   * (in the order of the calls) and rejects like `trySend` throws, or with the signal's reason.
   */
  send(frame: F, context: C, signal?: AbortSignal): Promise<void> | undefined {
    if (this.trySend(frame, context)) return undefined;
    return this.#sendLater(frame, context, signal);
  }

  /**
   * Sends a message without frames, after the frames sent before. It is dropped while no stream is open: what a new
   * stream must know belongs into `greeting`.
   */
  sendControl(request: Req): void {
    if (!this.#current?.open) return;
    this.#batch.flushAll();
    if (this.#current?.open && !this.#current.write(request)) this.#batch.block();
  }

  /** No more frames; resolves when every frame has its answer and the streams have ended. */
  close(): Promise<void> {
    return this.#finish(
      new SemlinkError(Code.CANCELLED, `the stream to ${this.#peerName()} is closed; open a new one`),
    );
  }

  /** Answers every frame in flight with CANCELLED and ends the streams. */
  cancel(reason = 'the sender gave up'): void {
    const error = new SemlinkError(Code.CANCELLED, `cancelled: ${reason}`);
    void this.#finish(error);
    this.#batch.takeAll();
    this.#fail(() => true, error);
    for (const stream of this.#streams) stream.cancel();
    this.#settle();
  }

  async #sendLater(frame: F, context: C, signal: AbortSignal | undefined): Promise<void> {
    const bytes = this.#options.bytesOf(frame) + frameOverheadBytes;
    await this.#window.acquire(bytes, signal);
    try {
      this.#checkSendable(frame);
    } catch (error) {
      this.#window.release(bytes);
      throw error;
    }
    this.#admit(frame, context, bytes);
  }

  #checkSendable({ header }: F): void {
    if (this.#closing) throw this.#closing;
    const linkId = header?.linkId ?? '';
    const sequence = header?.sequence ?? 0n;
    if (this.#pending.has(linkId, sequence)) {
      throw alreadyExists(
        `sequence of link "${linkId}"`,
        sequence,
        'a frame with it is in flight; wait for its answer',
      );
    }
  }

  #admit(frame: F, context: C, bytes: number): void {
    const sent = new SentFrame(frame, context, bytes, performance.now() + this.#frameTimeoutMs);
    this.#pending.add(sent);
    this.#armSweep();
    this.#batch.push(sent, bytes);
    if (!this.#current?.open) this.#ensureStream();
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
    const writable = live.length === 0 || stream.write(this.#options.toRequest(live));
    if (this.#closing && this.#batch.length === 0) stream.halfClose();
    return writable;
  }

  #ensureStream(): void {
    if (this.#current || this.#retry) return;
    const now = performance.now();
    this.#downSince ??= now;
    if (now < this.#retryAt) {
      // A peer known to be gone: answer at once, and try again when it is time.
      if (now - this.#downSince >= this.#reconnectWaitMs) this.#failQueuedSoon();
      else this.#retry = setTimeout(this.#openNow, this.#retryAt - now);
      return;
    }
    this.#openNow();
  }

  readonly #openNow = (): void => {
    this.#retry = undefined;
    const stream = new StreamAttempt<Req, Res>(this.#options.open(), {
      onOpen: () => this.#opened(stream),
      onMessage: (message) => this.#received(stream, message),
      onWritable: () => this.#batch.resume(),
      onEnd: (end) => this.#ended(stream, end),
    });
    this.#current = stream;
    this.#streams.add(stream);
    this.#armSweep();
  };

  #opened(stream: StreamAttempt<Req, Res>): void {
    this.#downSince = undefined;
    this.#lastFailure = undefined;
    this.#streamsOpened++;
    this.#say('open', `connected to ${this.#peerName()}`);
    const greeting = this.#options.greeting?.();
    if (greeting !== undefined) stream.write(greeting);
    this.#batch.resume();
    if (this.#closing && this.#batch.length === 0) stream.halfClose();
  }

  #received(stream: StreamAttempt<Req, Res>, message: Res): void {
    for (const result of message.results) {
      const pending = this.#pending.get(result.linkId, result.sequence);
      if (pending?.stream !== stream) {
        this.#strayResults++;
        continue;
      }
      stream.answered = true;
      this.#answer(pending, result);
    }
    if (message.feedback.length > 0) this.#options.onFeedback?.(message.feedback);
    if (message.draining && this.#current === stream) this.#moveOn(stream);
    if (message.results.length > 0) {
      this.#backoff.reset();
      this.#settle();
    }
  }

  /** The peer asked for no more frames here: what was sent is answered on the old stream, the rest goes to a new one. */
  #moveOn(stream: StreamAttempt<Req, Res>): void {
    this.#say('draining', `${this.#peerName()} is draining`);
    this.#batch.block();
    this.#current = undefined;
    stream.halfClose();
    // A stream that is sent away before it did anything must not become a busy loop.
    this.#retryAt = performance.now() + (stream.answered ? 0 : this.#backoff.next());
    if (this.#batch.length > 0) this.#ensureStream();
  }

  #ended(stream: StreamAttempt<Req, Res>, end: StreamEnd): void {
    this.#streams.delete(stream);
    const error = explainEnd(this.#peerName(), stream.wasOpen, end);
    if (this.#current === stream) {
      this.#current = undefined;
      this.#batch.block();
      const now = performance.now();
      this.#retryAt = now + (stream.answered ? 0 : this.#backoff.next());
      // A stream that ended while nothing was queued is no outage; the next frame opens a new one.
      if (stream.wasOpen) this.#downSince = this.#batch.length > 0 ? now : undefined;
      this.#lastFailure = error;
      if (!this.#closing || this.#batch.length > 0) this.#say('down', error.message);
    }
    this.#fail((sent) => sent.stream === stream, error);
    this.#checkQueued();
    if (!this.#current && this.#batch.length > 0) this.#ensureStream();
    this.#settle();
  }

  #say(state: StreamState, detail: string): void {
    // One failed attempt after the other is one outage.
    if (state === 'down' && this.#lastState === 'down') return;
    this.#lastState = state;
    this.#options.onState?.(state, detail);
  }

  #peerName(): string {
    return `${this.#options.peer.role} at ${this.#options.peer.address}`;
  }

  #answer(pending: SentFrame<F, C>, result: FrameResult): void {
    this.#pending.take(pending.linkId, pending.sequence);
    pending.answered = true;
    this.#window.release(pending.bytes);
    this.#options.onResult(result, pending.context);
  }

  #fail(test: (sent: SentFrame<F, C>) => boolean, error: SemlinkError): void {
    for (const sent of this.#pending.takeWhere(test)) {
      sent.answered = true;
      this.#window.release(sent.bytes);
      this.#options.onResult(errorResult(sent.frame.header, error, this.#options.origin), sent.context);
    }
  }

  /** Queued frames have waited long enough for a peer that is down. */
  #checkQueued(): void {
    if (this.#current?.open || this.#downSince === undefined || this.#batch.length === 0) return;
    const now = performance.now();
    if (Math.min(now - this.#downSince, this.#current?.age(now) ?? Infinity) < this.#reconnectWaitMs) return;
    const error =
      this.#lastFailure ??
      new SemlinkError(
        Code.UNAVAILABLE,
        `${this.#peerName()} did not answer within ${this.#reconnectWaitMs} ms; check that it runs there`,
      );
    this.#batch.takeAll();
    this.#fail((sent) => sent.stream === undefined, error);
    this.#settle();
  }

  #failQueuedSoon(): void {
    this.#failQueued ??= setImmediate(() => {
      this.#failQueued = undefined;
      this.#checkQueued();
    });
  }

  /** One timer for all frames: runs only while there is something to time out. */
  #armSweep(): void {
    if (this.#sweep) return;
    const shortest = Math.min(this.#frameTimeoutMs, this.#reconnectWaitMs);
    this.#sweep = setInterval(() => this.#sweepNow(), Math.min(250, Math.max(5, shortest / 8)));
  }

  #sweepNow(): void {
    const now = performance.now();
    this.#current?.checkOpen(now, () => this.#options.isConnected?.() ?? false);
    for (let frame = this.#pending.oldest; frame && frame.deadline <= now; frame = this.#pending.oldest) {
      const { header } = frame.frame;
      const sentence = `no answer from ${this.#peerName()} within ${this.#frameTimeoutMs} ms; it is overloaded or stuck`;
      this.#answer(
        frame,
        errorResult(header, new SemlinkError(Code.DEADLINE_EXCEEDED, sentence), this.#options.origin),
      );
    }
    // Timed-out frames are the oldest, so those that were still queued stand at the front.
    this.#batch.dropWhile(({ answered }) => answered);
    this.#checkQueued();
    this.#settle();
    if (this.#pending.size === 0 && (this.#current === undefined || this.#current.open)) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
    }
  }

  #finish(error: SemlinkError): Promise<void> {
    this.#closing ??= error;
    this.#window.close(this.#closing);
    return new Promise((resolve) => {
      this.#closed.push(resolve);
      this.#batch.flushAll();
      if (this.#current?.open && this.#batch.length === 0) this.#current.halfClose();
      this.#settle();
    });
  }

  /** When closing: ends what is left to end once every frame has its answer. */
  #settle(): void {
    if (!this.#closing || this.#pending.size > 0) return;
    clearTimeout(this.#retry);
    clearInterval(this.#sweep);
    this.#retry = undefined;
    this.#sweep = undefined;
    for (const stream of this.#streams) stream.endSoon();
    if (this.#streams.size > 0) return;
    const closed = this.#closed;
    this.#closed = [];
    for (const resolve of closed) resolve();
  }
}
