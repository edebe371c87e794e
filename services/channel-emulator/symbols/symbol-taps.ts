import type { Passage } from '../links.js';

/** A frame as it was on the air. The arrays are the watcher's own. */
export interface SymbolSample {
  readonly linkId: string;
  readonly sequence: bigint;
  /** k of the whole frame. */
  readonly channelUses: number;
  /** 2 numbers re, im a symbol; the first `mostShownSymbols` of the frame. */
  readonly sent: Float32Array;
  readonly received: Float32Array;
  readonly passage: Passage;
  /** Frames that passed since the last sample and are not told. */
  readonly skipped: number;
}

export interface SymbolWatcherOptions {
  /** Empty: every link. */
  linkId: string;
  /** Samples a second at most. */
  maxFramesPerSecond: number;
  /** Takes a sample; false: takes no more until `resume`. */
  tell: (sample: SymbolSample) => boolean;
}

/** A longer frame is cut: a sample stays under 20 KB, whatever passes. */
export const mostShownSymbols = 1024;

/** One reader of `SymbolTaps`. */
export interface SymbolWatcher {
  /** The reader takes samples again. */
  resume(): void;
  close(): void;
}

interface Tap extends SymbolWatcherOptions {
  readonly intervalMs: number;
  dueAtMs: number;
  blocked: boolean;
  skipped: number;
}

/**
 * Shows a sample of the frames that pass to whoever looks on. Nobody looks: one comparison a frame. Nothing is kept for a
 * reader that is slow, it misses frames.
 */
export class SymbolTaps {
  readonly #taps = new Set<Tap>();
  readonly #now: () => number;

  /** @param now milliseconds that rise steadily */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Readers. */
  get size(): number {
    return this.#taps.size;
  }

  watch(options: SymbolWatcherOptions): SymbolWatcher {
    const intervalMs = 1e3 / options.maxFramesPerSecond;
    const tap: Tap = { ...options, intervalMs, dueAtMs: Number.NEGATIVE_INFINITY, blocked: false, skipped: 0 };
    this.#taps.add(tap);
    return {
      resume: () => {
        tap.blocked = false;
      },
      close: () => {
        this.#taps.delete(tap);
      },
    };
  }

  /**
   * What `show` needs of a frame before the air changes its symbols in place; undefined when the frame is not shown.
   * @param symbols 2k numbers
   */
  copySent(linkId: string, symbols: Float32Array): Float32Array | undefined {
    if (this.#taps.size === 0) return undefined;
    const nowMs = this.#now();
    let wanted = false;
    for (const tap of this.#taps) {
      if (tap.linkId !== '' && tap.linkId !== linkId) continue;
      if (isDue(tap, nowMs)) wanted = true;
      else tap.skipped++;
    }
    return wanted ? shown(symbols) : undefined;
  }

  /** @param frame as `copySent` was asked about it; `received` is copied */
  show(
    frame: { linkId: string; sequence: bigint },
    sent: Float32Array,
    received: Float32Array,
    passage: Passage,
  ): void {
    const nowMs = this.#now();
    for (const tap of this.#taps) {
      if ((tap.linkId !== '' && tap.linkId !== frame.linkId) || !isDue(tap, nowMs)) continue;
      // Steady where frames come faster than samples; not ahead of time where they come late.
      const nextMs = tap.dueAtMs + tap.intervalMs;
      tap.dueAtMs = nextMs > nowMs ? nextMs : nowMs + tap.intervalMs;
      const { skipped } = tap;
      tap.skipped = 0;
      const sample = { ...frame, channelUses: received.length / 2, sent, received: shown(received), passage, skipped };
      if (!tap.tell(sample)) tap.blocked = true;
    }
  }
}

function isDue(tap: Tap, nowMs: number): boolean {
  return !tap.blocked && nowMs >= tap.dueAtMs;
}

function shown(symbols: Float32Array): Float32Array {
  return symbols.slice(0, 2 * mostShownSymbols);
}
