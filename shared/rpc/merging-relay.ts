import type { ChannelStateFeedback } from '../gen/semlink/v1/frame_pb.js';
import type { FrameLike, FrameResponse } from './frame-result.js';
import { FrameStreamClient } from './frame-stream-client.js';
import type { FrameStreamClientOptions } from './frame-stream-options.js';
import type { FrameStream } from './frame-stream-server.js';
import { MergedHop, type OwnStream, type SharedStream } from './merged-hop.js';

export interface MergingRelayOptions<F extends FrameLike, Req, Res extends FrameResponse, C>
  extends Omit<FrameStreamClientOptions<F, Req, Res, C>, 'onFeedback' | 'windowBytes'> {
  /** `upstream`: the source that the link is from; undefined when it is gone. */
  onFeedback: (feedback: ChannelStateFeedback, upstream: FrameStream | undefined) => void;
  /** Bytes queued and in flight on one stream. */
  windowBytes: number;
  /** Called for each stream opened; what it returns is called when that stream is let go. */
  onOpen(): () => void;
  /** What is said when a source broke off. */
  brokenOff: string;
}

/** Sources that share a stream at most. Their shares add up to its window, so that none can make the others wait. */
export const mostSharing = 64;

/**
 * The streams that a service opens to the next one, for all that it serves: sources with little under way share one, so
 * that a message has frames of many of them, since messages are what costs where each has few in flight. A source gets a
 * stream of its own, and keeps it, when it has more under way than its share of the window, or a link that another one has:
 * then nothing that it does or waits for touches the others.
 *
 * Frames of a source keep their order: it moves when those it has on the shared stream are answered.
 */
export class MergingRelay<
  F extends FrameLike,
  Req,
  Res extends FrameResponse,
  C extends { readonly hop: MergedHop<F, C> },
> {
  readonly #options: MergingRelayOptions<F, Req, Res, C>;
  readonly #shared = new Set<SharedStream<F, C>>();
  readonly #own = new Set<OwnStream<F, C>>();

  constructor(options: MergingRelayOptions<F, Req, Res, C>) {
    this.#options = options;
  }

  /** Sent on and not yet answered, over all streams. */
  get bytesInFlight(): number {
    let bytes = 0;
    for (const { client } of this.#shared) bytes += client.bytesInFlight;
    for (const { client } of this.#own) bytes += client.bytesInFlight;
    return bytes;
  }

  /** For a source that has something to send. What is sent has it in its context. */
  hop(upstream: FrameStream): MergedHop<F, C> {
    const { bytesOf, windowBytes, brokenOff } = this.#options;
    const shared = this.#withRoom();
    const hop = new MergedHop<F, C>(upstream, shared, {
      share: windowBytes / mostSharing,
      bytesOf,
      brokenOff,
      openOwn: () => this.#openOwn(upstream),
      left: () => this.#leave(shared, hop),
    });
    shared.members.add(hop);
    return hop;
  }

  #withRoom(): SharedStream<F, C> {
    for (const shared of this.#shared) if (shared.members.size < mostSharing) return shared;
    const owners: SharedStream<F, C>['owners'] = new Map();
    const shared: SharedStream<F, C> = {
      client: this.#open((linkId) => owners.get(linkId)?.upstream),
      letGo: this.#options.onOpen(),
      members: new Set(),
      owners,
    };
    this.#shared.add(shared);
    return shared;
  }

  #leave(shared: SharedStream<F, C>, hop: MergedHop<F, C>): void {
    shared.members.delete(hop);
    if (shared.members.size > 0) return;
    this.#shared.delete(shared);
    shared.letGo();
    void shared.client.close();
  }

  #openOwn(upstream: FrameStream): OwnStream<F, C> {
    const closed = this.#options.onOpen();
    const own: OwnStream<F, C> = {
      client: this.#open(() => upstream),
      letGo: () => {
        this.#own.delete(own);
        closed();
      },
    };
    this.#own.add(own);
    return own;
  }

  #open(upstreamOf: (linkId: string) => FrameStream | undefined): FrameStreamClient<F, Req, Res, C> {
    const { onResult, onFeedback } = this.#options;
    return new FrameStreamClient<F, Req, Res, C>({
      ...this.#options,
      onResult: (result, context, frame) => {
        context.hop.answered(frame);
        onResult(result, context, frame);
      },
      onFeedback: (feedback) => {
        for (const one of feedback) onFeedback(one, upstreamOf(one.linkId));
      },
    });
  }
}
