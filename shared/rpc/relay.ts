import type { FrameStream } from './frame-stream-server.js';

/** What a relay needs of a stream to the next service; a `FrameStreamClient` is one. */
export interface RelayedStream {
  readonly bytesInFlight: number;
  /** Ends it at once; what is under way is lost. */
  cancel(reason: string): void;
  /** Ends it when all that is under way has been answered. */
  close(): Promise<void>;
}

/** One served stream's side of a relay. */
export interface RelayedHop<D> {
  /** The stream to the next service; opened when it is first asked for, since a source may send nothing. */
  to(upstream: FrameStream): D;
  /** Must be called once when the served stream ends; ends the other as this one ended. */
  end(upstream: FrameStream): void;
}

export interface RelayOptions<D> {
  open(upstream: FrameStream): D;
  /** Called for each stream opened; what it returns is called when that stream is let go. */
  onOpen(): () => void;
  /** What is told to the next service when a served stream broke off. */
  brokenOff: string;
}

/**
 * The streams that a service opens to the next one: one for each stream that it serves (and address of the next service
 * that its links are pinned to), so that one slow or broken source does not hold up another.
 */
export class Relay<D extends RelayedStream> {
  readonly #options: RelayOptions<D>;
  readonly #open = new Set<D>();

  constructor(options: RelayOptions<D>) {
    this.#options = options;
  }

  /** Sent on and not yet answered, over all streams. */
  get bytesInFlight(): number {
    let bytes = 0;
    for (const stream of this.#open) bytes += stream.bytesInFlight;
    return bytes;
  }

  /** For a stream that is served from now on. */
  hop(): RelayedHop<D> {
    const { open, onOpen, brokenOff } = this.#options;
    let stream: D | undefined;
    let letGo = (): void => {};
    return {
      to: (upstream) => {
        if (!stream) {
          stream = open(upstream);
          this.#open.add(stream);
          letGo = onOpen();
        }
        return stream;
      },
      end: (upstream) => {
        if (!stream) return;
        this.#open.delete(stream);
        letGo();
        if (upstream.signal.aborted) stream.cancel(brokenOff);
        else void stream.close();
      },
    };
  }
}
