import type { LinkChange, Links } from '../links.js';

/** What is told about one link. */
export interface WatchEvent {
  /** Empty: the default. */
  readonly linkId: string;
  readonly change: LinkChange | 'initial' | 'interval';
  /** Changes of the link that came since the last event about it and are not told apart. */
  readonly skipped: number;
  /** When the newest of them happened, nanoseconds since the Unix epoch. */
  readonly timeUnixNano: bigint;
}

export interface WatcherOptions {
  links: Links;
  /** Empty: the default and every link that has settings of its own. */
  linkId: string;
  /** Tells of the link this often, ms; 0: changes only. */
  intervalMs: number;
  /** Tells of one link as it is now; false: not now, `resume` follows. */
  tell: (event: WatchEvent) => boolean;
  now: () => bigint;
}

/**
 * Watches links for one reader. While the reader is slow only the newest state of each link is kept for it, so what a
 * watcher that does not read costs is bounded by the number of links that have settings of their own.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #waiting = new Map<string, WatchEvent>();
  readonly #stopListening: (() => void) | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #blocked = false;
  #over = false;

  /** Tells at once how things are. */
  constructor(options: WatcherOptions) {
    this.#options = options;
    const { links, linkId, intervalMs } = options;
    this.#put(linkId, 'initial');
    if (linkId === '') for (const own of links.ownLinks()) this.#put(own, 'initial');
    this.#stopListening = links.onChange((changed, change) => {
      // A link without settings of its own follows the default, and changes with it.
      if (linkId === '') this.#put(changed, change);
      else if (changed === linkId || (changed === '' && !links.hasOwn(linkId))) this.#put(linkId, change);
    });
    if (intervalMs > 0) this.#timer = setInterval(() => this.#put(linkId, 'interval'), intervalMs);
    this.resume();
  }

  /** Links whose newest state the reader has not had. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The reader takes events again. */
  resume(): void {
    this.#blocked = false;
    for (const [linkId, event] of this.#waiting) {
      if (this.#over) return;
      this.#waiting.delete(linkId);
      if (this.#options.tell(event)) continue;
      this.#blocked = true;
      return;
    }
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#stopListening?.();
    this.#waiting.clear();
  }

  #put(linkId: string, change: WatchEvent['change']): void {
    if (this.#over) return;
    const before = this.#waiting.get(linkId);
    // An interval is no news where something else waits to be told.
    if (before && change === 'interval') return;
    const skipped = before && before.change !== 'interval' ? before.skipped + 1 : 0;
    this.#waiting.set(linkId, { linkId, change, skipped, timeUnixNano: this.#options.now() });
    if (!this.#blocked && this.#stopListening !== undefined) this.resume();
  }
}
