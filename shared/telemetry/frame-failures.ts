import type { FrameError, FrameHeader } from '../gen/semlink/v1/frame_pb.js';
import type { FailureLog } from './failure-log.js';
import { frameTraceId } from './frame-identity.js';
import { TokenBucket } from './token-bucket.js';
import { isSampledContext, readTraceparent } from './traceparent.js';

export interface FrameFailuresOptions {
  /** Name of this service as in `FrameError.origin`. */
  readonly service: string;
  /** Whether spans are recorded here. */
  readonly traces: boolean;
  /** Frames a second that are traced though they were not sampled. */
  readonly tracesPerSecond: number;
  /** Hears of frames that failed in this service. */
  readonly log?: FailureLog | undefined;
}

/**
 * What a service does about frames without a result: the one where a frame fails writes a line to its log, and decides
 * whether the frame is traced although it was not sampled, at most so many a second. It says so in the answer
 * (`FrameError.trace_id`), so that every service that the answer passes adds its spans to the same trace. Frames that
 * succeed cost nothing.
 */
export class FrameFailures {
  readonly #options: FrameFailuresOptions;
  readonly #traced: TokenBucket;

  constructor(options: FrameFailuresOptions) {
    this.#options = options;
    this.#traced = new TokenBucket(options.tracesPerSecond);
  }

  /**
   * Must be called once for each failed frame, before its answer goes on.
   *
   * @param header the frame's; undefined when it had none
   * @param cause what was thrown, for the log
   * @returns the id of the trace into which spans of the frame go; empty: none do
   */
  note(header: FrameHeader | undefined, error: FrameError, cause?: unknown): string {
    const { service, traces, log } = this.#options;
    const isOwn = error.origin === service;
    const known = header && isIdentity(header) ? header : undefined;
    // Of a peer, which may send anything.
    if (error.traceId !== '' && !TRACE_ID.test(error.traceId)) error.traceId = '';
    if (error.traceId === '' && known) {
      const carried = readTraceparent(known.traceparent);
      if (carried && isSampledContext(carried)) error.traceId = carried.traceId;
      else if (isOwn && traces && this.#traced.take(performance.now())) {
        error.traceId = carried?.traceId ?? frameTraceId(known);
      }
    }
    if (isOwn) log?.failed(known, error, cause);
    return traces && known ? error.traceId : '';
  }
}

const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;

/** A frame that was refused for its header may have a link of any length, which belongs into no span and no log. */
function isIdentity({ linkId }: FrameHeader): boolean {
  return linkId !== '' && linkId.length <= 64;
}
