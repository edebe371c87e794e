import type { FrameResult } from '../gen/semlink/v1/frame_pb.js';
import { ByteWindow } from './byte-window.js';
import { alreadyExists, Code, SemlinkError } from './errors.js';
import { errorResult, type FrameLike, type FrameResponse, frameOverheadBytes } from './frame-result.js';
import type { FrameStreamClientOptions } from './frame-stream-options.js';
import { PendingFrames } from './pending-frames.js';
import { SentFrame } from './sent-frame.js';
import { type LaneOwner, StreamLane } from './stream-lane.js';
import { onePeer, type StreamPeer, type StreamPeers } from './stream-peers.js';

/**
 * The sending end of a hop. Every frame that was admitted gets exactly one result: the peer's, or an error made here when
 * the stream breaks, the peer stays out of reach or the frame's time is over. Each link is pinned to one of the peers
 * (stream-peers.ts); frames of a link leave in the order in which they came, on a stream that lives as long as it can.
 */
export class FrameStreamClient<F extends FrameLike, Req, Res extends FrameResponse, C = undefined> {
  readonly #options: FrameStreamClientOptions<F, Req, Res, C>;
  readonly #frameTimeoutMs: number;
  readonly #window: ByteWindow;
  readonly #pending = new PendingFrames<SentFrame<F, C>>();
  readonly #peers: StreamPeers<Req, Res>;
  readonly #lanes = new Map<StreamPeer<Req, Res>, StreamLane<F, Req, Res, C>>();
  /** What `peers.pick` said, until it may say otherwise. */
  readonly #pins = new Map<string, StreamLane<F, Req, Res, C>>();
  /** Frames that came before any address was known, in order. */
  #homeless: SentFrame<F, C>[] = [];
  readonly #owner: LaneOwner<F, Req, Res, C>;
  readonly #forgetPeers: () => void;
  #sweep: NodeJS.Timeout | undefined;
  #rerouting = false;
  #closing: SemlinkError | undefined;
  #closed: (() => void)[] = [];
  #strayResults = 0;
  #streamsOpened = 0;

  constructor(options: FrameStreamClientOptions<F, Req, Res, C>) {
    this.#options = options;
    this.#frameTimeoutMs = options.frameTimeoutMs ?? 30_000;
    this.#window = new ByteWindow(options.windowBytes ?? 8 * 1024 * 1024);
    this.#peers = options.peers ?? onlyPeer(options);
    this.#owner = this.#asOwner(options.reconnectWaitMs ?? 2_000);
    this.#forgetPeers = this.#peers.onChange(() => this.#reroute());
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

  /** Opens the stream of a link ahead of its first frame. */
  connect(linkId = ''): void {
    if (!this.#closing) this.#laneOf(linkId)?.connect();
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
   * Sends a message without frames on every open stream, after the frames sent before. It is dropped where no stream is
   * open: what a new stream must know belongs into `greeting`.
   */
  sendControl(request: Req): void {
    for (const lane of this.#lanes.values()) lane.sendControl(request);
  }

  /** No more frames; resolves when every frame has its answer and the streams have ended. */
  close(): Promise<void> {
    const { role, address } = this.#options.peer;
    return this.#finish(
      new SemlinkError(Code.CANCELLED, `the stream to ${role} at ${address} is closed; open a new one`),
    );
  }

  /** Answers every frame in flight with CANCELLED and ends the streams. */
  cancel(reason = 'the sender gave up'): void {
    const error = new SemlinkError(Code.CANCELLED, `cancelled: ${reason}`);
    void this.#finish(error);
    this.#homeless = [];
    for (const lane of this.#lanes.values()) lane.takeQueued();
    this.#fail(
      this.#pending.takeWhere(() => true),
      error,
    );
    for (const lane of this.#lanes.values()) lane.cancel();
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
    this.#route(sent);
  }

  #route(sent: SentFrame<F, C>): void {
    const lane = this.#laneOf(sent.linkId);
    if (lane) lane.push(sent);
    else this.#homeless.push(sent);
  }

  #laneOf(linkId: string): StreamLane<F, Req, Res, C> | undefined {
    const pinned = this.#pins.get(linkId);
    if (pinned) return pinned;
    const peer = this.#peers.pick(linkId);
    if (!peer) return undefined;
    let lane = this.#lanes.get(peer);
    if (!lane) {
      lane = new StreamLane(peer, this.#owner);
      this.#lanes.set(peer, lane);
    }
    // Forgetting costs a hash; remembering every link there ever was would cost memory.
    if (this.#pins.size >= mostPins) this.#pins.clear();
    this.#pins.set(linkId, lane);
    return lane;
  }

  /** Picks anew for every frame that was not written yet, and lets go of peers that are none any more. */
  #reroute(): void {
    this.#pins.clear();
    if (this.#rerouting) return;
    this.#rerouting = true;
    const homeless = this.#homeless;
    this.#homeless = [];
    for (const sent of homeless) if (!sent.answered) this.#route(sent);
    for (const lane of [...this.#lanes.values()]) {
      if (lane.queued > 0) for (const sent of lane.takeQueued()) this.#route(sent);
    }
    for (const [peer, lane] of this.#lanes) {
      if (this.#peers.has(peer)) continue;
      lane.retire();
      if (lane.streams === 0 && lane.queued === 0) this.#lanes.delete(peer);
    }
    this.#rerouting = false;
  }

  #asOwner(reconnectWaitMs: number): LaneOwner<F, Req, Res, C> {
    const closing = () => this.#closing !== undefined;
    const pending = this.#pending;
    return {
      options: this.#options,
      reconnectWaitMs,
      get closing() {
        return closing();
      },
      get inFlight() {
        return pending.size;
      },
      opened: () => {
        this.#streamsOpened++;
      },
      received: (stream, message) => this.#received(stream, message),
      fail: (frames, error) => {
        for (const sent of frames) this.#pending.take(sent.linkId, sent.sequence);
        this.#fail(frames, error);
      },
      failWritten: (stream, error) =>
        this.#fail(
          this.#pending.takeWhere((sent) => sent.stream === stream),
          error,
        ),
      unreachable: (peer) => this.#peers.unreachable(peer),
      movedOn: (peer) => this.#peers.movedOn(peer),
      settle: () => this.#settle(),
      armSweep: () => this.#armSweep(),
    };
  }

  #received(stream: object, message: Res): boolean {
    let answered = false;
    for (const result of message.results) {
      const pending = this.#pending.get(result.linkId, result.sequence);
      if (pending?.stream !== stream) {
        this.#strayResults++;
        this.#options.onStray?.();
        continue;
      }
      answered = true;
      this.#answer(pending, result);
    }
    if (message.feedback.length > 0) this.#options.onFeedback?.(message.feedback);
    return answered;
  }

  #answer(pending: SentFrame<F, C>, result: FrameResult): void {
    this.#pending.take(pending.linkId, pending.sequence);
    pending.answered = true;
    this.#window.release(pending.bytes);
    this.#options.onResult(result, pending.context, pending.frame);
  }

  /** Answers frames that are no longer pending. */
  #fail(frames: Iterable<SentFrame<F, C>>, error: SemlinkError): void {
    for (const sent of frames) {
      sent.answered = true;
      this.#window.release(sent.bytes);
      this.#options.onResult(errorResult(sent.frame.header, error, this.#options.origin), sent.context, sent.frame);
    }
  }

  /** One timer for all frames: runs only while there is something to time out. */
  #armSweep(): void {
    if (this.#sweep) return;
    const shortest = Math.min(this.#frameTimeoutMs, this.#owner.reconnectWaitMs);
    this.#sweep = setInterval(() => this.#sweepNow(), Math.min(250, Math.max(5, shortest / 8)));
  }

  #sweepNow(): void {
    const now = performance.now();
    for (let sent = this.#pending.oldest; sent && sent.deadline <= now; sent = this.#pending.oldest) {
      const { role } = this.#options.peer;
      const address = this.#peers.pick(sent.linkId)?.address ?? this.#options.peer.address;
      const sentence = `no answer from ${role} at ${address} within ${this.#frameTimeoutMs} ms; it is overloaded or stuck`;
      this.#answer(
        sent,
        errorResult(sent.frame.header, new SemlinkError(Code.DEADLINE_EXCEEDED, sentence), this.#options.origin),
      );
    }
    this.#failHomeless(now);
    let opening = false;
    for (const lane of [...this.#lanes.values()]) {
      lane.check(now);
      opening ||= lane.opening;
    }
    this.#settle();
    if (this.#pending.size > 0 || opening) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** No address has become known in time. */
  #failHomeless(now: number): void {
    const oldest = this.#homeless[0];
    if (!oldest || now - (oldest.deadline - this.#frameTimeoutMs) < this.#owner.reconnectWaitMs) return;
    const { role, address } = this.#options.peer;
    const why = this.#peers.problem();
    const sentence = `${role} at ${address} is not reachable (${why}); check the name, and that it runs there`;
    const frames = this.#homeless.filter(({ answered }) => !answered);
    this.#homeless = [];
    this.#owner.fail(frames, new SemlinkError(Code.UNAVAILABLE, sentence));
  }

  #finish(error: SemlinkError): Promise<void> {
    this.#closing ??= error;
    this.#window.close(this.#closing);
    return new Promise((resolve) => {
      this.#closed.push(resolve);
      for (const lane of this.#lanes.values()) lane.finish();
      this.#settle();
    });
  }

  /** When closing: ends what is left to end once every frame has its answer. */
  #settle(): void {
    if (!this.#closing || this.#pending.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    this.#forgetPeers();
    let open = 0;
    for (const lane of this.#lanes.values()) {
      lane.endSoon();
      open += lane.streams;
    }
    if (open > 0) return;
    const closed = this.#closed;
    this.#closed = [];
    for (const resolve of closed) resolve();
  }
}

/** Links whose lane is remembered. */
const mostPins = 16_384;

function onlyPeer<F extends FrameLike, Req, Res extends FrameResponse, C>(
  options: FrameStreamClientOptions<F, Req, Res, C>,
): StreamPeers<Req, Res> {
  const { open, isConnected = () => false, peer } = options;
  if (!open) throw new Error('a FrameStreamClient needs `peers` or `open`');
  return onePeer({ address: peer.address, open, isConnected });
}
