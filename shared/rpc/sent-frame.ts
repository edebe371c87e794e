import type { FrameLike } from './frame-result.js';
import { PendingFrame } from './pending-frames.js';

/** A frame that was sent, or waits to be, and has no answer yet. */
export class SentFrame<F extends FrameLike, C> extends PendingFrame {
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
