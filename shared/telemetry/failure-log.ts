import type { FrameError, FrameHeader } from '../gen/semlink/v1/frame_pb.js';
import type { LimitedLevel, LimitedLog } from './limited-log.js';
import { CODE_NAMES, LOG_FIELDS } from './names.js';

/** Codes that are no fault of anybody: the air lost the frame, or its sender has gone. */
const EXPECTED: ReadonlySet<string> = new Set(['DATA_LOSS', 'CANCELLED']);
/** Codes that are ours; the answer does not tell what happened. */
const FAULTS: ReadonlySet<string> = new Set(['INTERNAL', 'UNKNOWN']);

/** Failed frames in the log of the service where they failed, within bounds by code. */
export class FailureLog {
  readonly #log: LimitedLog;

  constructor(log: LimitedLog) {
    this.#log = log;
  }

  /** @param cause what was thrown; written down where the answer does not tell it */
  failed(header: FrameHeader | undefined, error: FrameError, cause?: unknown): void {
    const code = CODE_NAMES[error.code] ?? 'UNKNOWN';
    const kind = { key: `frame ${code}`, level: levelOf(code), fields: { [LOG_FIELDS.code]: code } };
    this.#log.line(kind, `frame failed: ${error.message}`, () => ({
      ...(error.cause !== '' && { [LOG_FIELDS.cause]: error.cause }),
      ...(header && { [LOG_FIELDS.link]: header.linkId, [LOG_FIELDS.sequence]: Number(header.sequence) }),
      ...(error.traceId !== '' && { [LOG_FIELDS.traceId]: error.traceId }),
      ...(FAULTS.has(code) && cause !== undefined && { [LOG_FIELDS.error]: causeOf(cause) }),
    }));
  }
}

function levelOf(code: string): LimitedLevel {
  if (FAULTS.has(code)) return 'error';
  return EXPECTED.has(code) ? 'debug' : 'warn';
}

/** An INTERNAL error keeps what really happened as its cause. */
function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
}
