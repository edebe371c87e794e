import { Code, SemlinkError } from './errors.js';
import { type FrameLike, frameOverheadBytes } from './frame-result.js';
import type { FrameStream } from './frame-stream-server.js';

/** What a hop needs of a stream to the next service; a `FrameStreamClient` is one. */
export interface HopStream<F, C> {
  readonly bytesInFlight: number;
  trySend(frame: F, context: C): boolean;
  send(frame: F, context: C, signal?: AbortSignal): Promise<void> | undefined;
  cancel(reason: string): void;
  close(): Promise<void>;
}

/** A stream of one source. */
export interface OwnStream<F, C> {
  readonly client: HopStream<F, C>;
  /** Must be called once it is not needed any more. */
  letGo(): void;
}

/** A stream of several sources. */
export interface SharedStream<F extends FrameLike, C> extends OwnStream<F, C> {
  /** Those that may send on it, or have frames on it. */
  readonly members: Set<MergedHop<F, C>>;
  /** Whose link it is: the numbers of a link's frames tell them apart in one source only. */
  readonly owners: Map<string, MergedHop<F, C>>;
}

interface MergedHopOptions<F, C> {
  /** Bytes that it may have on the shared stream. */
  readonly share: number;
  readonly bytesOf: (frame: F) => number;
  /** What is said when the source broke off. */
  readonly brokenOff: string;
  readonly openOwn: () => OwnStream<F, C>;
  /** It has nothing on the shared stream, and sends nothing there any more. */
  readonly left: () => void;
}

/** A frame that waits until its source has a stream of its own. */
interface Waiting<F, C> {
  readonly frame: F;
  readonly context: C;
  readonly signal: AbortSignal | undefined;
  resolve(): void;
  reject(error: unknown): void;
}

/** A source with more links than these gets a stream of its own. */
export const mostSharedLinks = 256;

/** One source's side of a `MergingRelay`, which says when it is on which stream. */
export class MergedHop<F extends FrameLike, C> {
  readonly upstream: FrameStream;
  readonly #options: MergedHopOptions<F, C>;
  readonly #shared: SharedStream<F, C>;
  readonly #links = new Set<string>();
  /** On the shared stream, without an answer. */
  #frames = 0;
  #bytes = 0;
  #waiting: Waiting<F, C>[] = [];
  #own: OwnStream<F, C> | undefined;
  #ended = false;

  constructor(upstream: FrameStream, shared: SharedStream<F, C>, options: MergedHopOptions<F, C>) {
    this.upstream = upstream;
    this.#shared = shared;
    this.#options = options;
  }

  /**
   * As `FrameStreamClient.send`, in the order of the calls. What waits here is bounded by the window of the source.
   * @throws SemlinkError CANCELLED after `end`
   */
  send(frame: F, context: C, signal?: AbortSignal): Promise<void> | undefined {
    if (this.#own) return this.#own.client.send(frame, context, signal);
    if (this.#ended) throw this.#cancelled();
    if (this.#waiting.length === 0 && this.#share(frame, context)) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frame, context, signal, resolve, reject });
      if (this.#frames === 0) this.#move();
    });
  }

  /** The relay's: a frame of this source has its result. */
  answered(frame: F): void {
    // All that it had on the shared stream was answered before it moved.
    if (this.#own) return;
    this.#frames--;
    this.#bytes -= this.#bytesOf(frame);
    if (this.#frames > 0) return;
    if (this.#ended) this.#leave();
    else if (this.#waiting.length > 0) this.#move();
  }

  /** Must be called once, when the source has ended. What a broken-off one has on a shared stream runs on to its end. */
  end(): void {
    this.#ended = true;
    if (this.#own) {
      const { client, letGo } = this.#own;
      letGo();
      if (this.upstream.signal.aborted) client.cancel(this.#options.brokenOff);
      else void client.close();
      this.#disown();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(this.#cancelled());
    if (this.#frames === 0) this.#leave();
  }

  /** Sends a frame on the shared stream, if this source may. */
  #share(frame: F, context: C): boolean {
    const linkId = frame.header?.linkId ?? '';
    const { client, owners } = this.#shared;
    const bytes = this.#bytesOf(frame);
    if (this.#bytes + bytes > this.#options.share) return false;
    const owner = owners.get(linkId);
    if (owner ? owner !== this : this.#links.size >= mostSharedLinks) return false;
    if (!client.trySend(frame, context)) return false;
    this.#frames++;
    this.#bytes += bytes;
    if (!owner) {
      owners.set(linkId, this);
      this.#links.add(linkId);
    }
    return true;
  }

  #move(): void {
    this.#own = this.#options.openOwn();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { frame, context, signal, resolve, reject } of waiting) {
      try {
        const full = this.#own.client.send(frame, context, signal);
        if (full) full.then(resolve, reject);
        else resolve();
      } catch (error) {
        reject(error);
      }
    }
    // Its links stay its own there, for feedback that is still on its way.
    this.#options.left();
  }

  #leave(): void {
    this.#disown();
    this.#options.left();
  }

  #disown(): void {
    for (const linkId of this.#links) this.#shared.owners.delete(linkId);
    this.#links.clear();
  }

  #bytesOf(frame: F): number {
    return this.#options.bytesOf(frame) + frameOverheadBytes;
  }

  #cancelled(): SemlinkError {
    return new SemlinkError(Code.CANCELLED, `cancelled: ${this.#options.brokenOff}`);
  }
}
