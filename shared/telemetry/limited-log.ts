import type { LogFields, Logger, LogLevel } from './logger.js';
import { LOG_FIELDS } from './names.js';

/** Lines of one kind in each window of time; the others are counted. */
const LINES_PER_WINDOW = 5;
const WINDOW_MS = 10_000;

export type LimitedLevel = Extract<LogLevel, 'debug' | 'info' | 'warn' | 'error'>;

/** One kind of lines; kinds must be few, whatever happens. */
export interface LineKind {
  /** Tells it from the others. */
  readonly key: string;
  readonly level: LimitedLevel;
  /** Fields that all of its lines have. */
  readonly fields: LogFields;
}

interface Window {
  readonly kind: LineKind;
  lines: number;
  suppressed: number;
  last: string;
}

/**
 * Lines that many frames or streams may ask for at once. However many there are, each kind gets a few in a window of time
 * and then one that counts the rest.
 */
export class LimitedLog {
  readonly #logger: Logger;
  readonly #windows = new Map<string, Window>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param more fields of this line alone; asked for only if it is written */
  line(kind: LineKind, message: string, more: () => LogFields = () => ({})): void {
    if (!this.#logger.isLevelEnabled(kind.level)) return;
    let window = this.#windows.get(kind.key);
    if (!window) {
      window = { kind, lines: 0, suppressed: 0, last: '' };
      this.#windows.set(kind.key, window);
      this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
    }
    if (window.lines >= LINES_PER_WINDOW) {
      window.suppressed++;
      window.last = message;
      return;
    }
    window.lines++;
    this.#logger[kind.level]({ ...kind.fields, ...more() }, message);
  }

  /** Ends the window: says how many lines were left out. Also the last act of a drain. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { kind, suppressed, last } of this.#windows.values()) {
      if (suppressed === 0) continue;
      const fields = { ...kind.fields, [LOG_FIELDS.suppressed]: suppressed };
      this.#logger[kind.level](fields, `${suppressed} more like it, the last: ${last}`);
    }
    this.#windows.clear();
  }
}
