import type { ChannelStateFeedback, FrameResult } from '../gen/semlink/v1/frame_pb.js';
import type { BatchLimits } from './frame-batch.js';
import type { FrameLike, FrameResponse } from './frame-result.js';
import type { StreamPeer, StreamPeers } from './stream-peers.js';

/** How a `FrameStreamClient` sends and what it tells. */
export interface FrameStreamClientOptions<F extends FrameLike, Req, Res extends FrameResponse, C> {
  /** Who is at the other end, for messages: service name and address. */
  peer: { role: string; address: string };
  /** Name of the service (or client) on this side: `FrameError.origin` of the errors made here. */
  origin: string;
  /** Where each link goes. Default: to one peer, by `open` and `isConnected`. */
  peers?: StreamPeers<Req, Res>;
  /** Opens a new call, for example `() => client.propagate()`. */
  open?: StreamPeer<Req, Res>['open'];
  isConnected?: StreamPeer<Req, Res>['isConnected'];
  /** A request with these frames. */
  toRequest: (frames: F[]) => Req;
  /** Payload bytes of a frame; a fixed overhead is added to them. */
  bytesOf: (frame: F) => number;
  /** Exactly once per admitted frame, with the context that was sent along and the frame. Must not throw. */
  onResult: (result: FrameResult, context: C, frame: F) => void;
  /** An answer came for a frame that is not in flight (any more), and was dropped. */
  onStray?: () => void;
  onFeedback?: (feedback: ChannelStateFeedback[]) => void;
  /** First message of every new stream, for what the peer must know again, such as policies. */
  greeting?: () => Req | undefined;
  /** Connected, draining, down: for the log. */
  onState?: (state: StreamState, detail: string) => void;
  /** Bytes queued and in flight together. Default 8 MiB. What the peer's transport holds besides: its `windowBytes`. */
  windowBytes?: number;
  batch?: Partial<BatchLimits>;
  /** A frame without an answer for so long is answered DEADLINE_EXCEEDED, milliseconds. Default 30,000. */
  frameTimeoutMs?: number;
  /** How long frames wait for an unreachable peer before they are answered UNAVAILABLE, milliseconds. Default 2,000. */
  reconnectWaitMs?: number;
  /** Delays between attempts to reach the peer, milliseconds. Default 50 to 1,000, doubling, with seeded jitter. */
  backoff?: { baseMs?: number; maxMs?: number; seed?: number };
}

export type StreamState = 'open' | 'draining' | 'down';
