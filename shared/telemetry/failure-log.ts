import type { FrameError, FrameHeader } from '../gen/semlink/v1/frame_pb.js';
import type { Logger } from './logger.js';
import { CODE_NAMES, LOG_FIELDS } from './names.js';

/** Lines a code of errors may have in each window; the others are counted. */
const LINES_PER_WINDOW = 5;
const WINDOW_MS = 10_000;

type Level = 'error' | 'warn' | 'debug';

/** Codes that are no fault of anybody: the air lost the frame, or its sender has gone. */
const EXPECTED: ReadonlySet<string> = new Set(['DATA_LOSS', 'CANCELLED']);
const FAULTS: ReadonlySet<string> = new Set(['INTERNAL', 'UNKNOWN']);

interface Window {
  lines: number;
  suppressed: number;
  last: string;
}

/**
 * Failed frames in the log of the service where they failed. However many there are, each code gets a few lines in a
 * window of time and then one that counts the rest.
 */
export class FailureLog {
  readonly #logger: Logger;
  readonly #windows = new Map<string, Window>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param cause what was thrown; written down where the answer does not tell it */
  failed(header: FrameHeader | undefined, error: FrameError, cause?: unknown): void {
    const code = CODE_NAMES[error.code] ?? 'UNKNOWN';
    const level = levelOf(code);
    if (!this.#logger.isLevelEnabled(level)) return;
    let window = this.#windows.get(code);
    if (!window) {
      window = { lines: 0, suppressed: 0, last: '' };
      this.#windows.set(code, window);
      this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
    }
    if (window.lines >= LINES_PER_WINDOW) {
      window.suppressed++;
      window.last = error.message;
      return;
    }
    window.lines++;
    this.#logger[level](
      {
        [LOG_FIELDS.code]: code,
        ...(error.cause !== '' && { [LOG_FIELDS.cause]: error.cause }),
        ...(header && { [LOG_FIELDS.link]: header.linkId, [LOG_FIELDS.sequence]: Number(header.sequence) }),
        ...(error.traceId !== '' && { [LOG_FIELDS.traceId]: error.traceId }),
        ...(FAULTS.has(code) && cause !== undefined && { [LOG_FIELDS.error]: causeOf(cause) }),
      },
      `frame failed: ${error.message}`,
    );
  }

  /** Ends the window: says how many lines were left out. Also the last act of a drain. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [code, { suppressed, last }] of this.#windows) {
      if (suppressed === 0) continue;
      const fields = { [LOG_FIELDS.code]: code, [LOG_FIELDS.suppressed]: suppressed };
      this.#logger[levelOf(code)](fields, `${suppressed} more frames failed, the last: ${last}`);
    }
    this.#windows.clear();
  }
}

function levelOf(code: string): Level {
  if (FAULTS.has(code)) return 'error';
  return EXPECTED.has(code) ? 'debug' : 'warn';
}

/** An INTERNAL error keeps what really happened as its cause. */
function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
}
