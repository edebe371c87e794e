import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import type { Code } from './errors.js';

/** How a stream ended: the peer's status, or the one grpc-js made up. */
export interface StreamEnd {
  code: Code;
  details: string;
}

export interface StreamAttemptEvents<Res> {
  /** The peer has taken the stream. */
  onOpen: () => void;
  onMessage: (message: Res) => void;
  /** After `write` returned false: there is room again. */
  onWritable: () => void;
  /** Last event, once, after all messages. */
  onEnd: (end: StreamEnd) => void;
}

/** A peer that has not sent its headers by then, milliseconds, is taken for one that sends them with its first answer. */
const headersWaitMs = 1_000;
/** A stream whose frames are all answered has so long to end by itself, milliseconds. */
const endWaitMs = 1_000;

/**
 * One call from opening to its end. It counts as open once the peer's headers are here, so that nothing is written to a
 * peer that is not there: such frames can still be held back, written ones could not.
 */
export class StreamAttempt<Req, Res> {
  readonly #call: ClientDuplexStream<Req, Res>;
  readonly #events: StreamAttemptEvents<Res>;
  readonly #openedAt = performance.now();
  #state: 'opening' | 'open' | 'half-closed' | 'ended' = 'opening';
  #status: StreamEnd | undefined;
  #readEnded = false;
  #endTimer: NodeJS.Timeout | undefined;
  /** Whether the peer ever took the stream. */
  wasOpen = false;
  /** Whether a frame sent on this stream was answered; kept by the user. */
  answered = false;

  constructor(call: ClientDuplexStream<Req, Res>, events: StreamAttemptEvents<Res>) {
    this.#call = call;
    this.#events = events;
    call.on('metadata', () => this.#opened());
    call.on('data', (message: Res) => {
      this.#opened();
      events.onMessage(message);
    });
    call.on('drain', () => {
      if (this.open) events.onWritable();
    });
    // The status event that follows says the same; without a listener the error would be thrown.
    call.on('error', () => {});
    call.on('end', () => {
      this.#readEnded = true;
      this.#finish();
    });
    // A cancelled call may be destroyed before its messages were read out.
    call.on('close', () => {
      this.#readEnded = true;
      this.#finish();
    });
    call.on('status', ({ code, details }: StatusObject) => {
      this.#status = { code: code as Code, details };
      this.#finish();
    });
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** False: hold back until `onWritable`. */
  write(request: Req): boolean {
    return this.#call.write(request);
  }

  /** Says that nothing more will be sent. */
  halfClose(): void {
    if (this.#state === 'half-closed' || this.#state === 'ended') return;
    this.#state = 'half-closed';
    this.#call.end();
  }

  /** Nothing is awaited on this stream any more: half-closes, and cancels when the peer does not end it in time. */
  endSoon(): void {
    if (this.#state === 'opening') {
      this.cancel();
    } else {
      this.halfClose();
      this.#endTimer ??= setTimeout(() => this.cancel(), endWaitMs);
    }
  }

  cancel(): void {
    if (this.#state !== 'ended') this.#call.cancel();
  }

  /** Milliseconds since the call was made. */
  age(now: number): number {
    return now - this.#openedAt;
  }

  /** To be called now and then while opening: `connected` says whether the connection stands. */
  checkOpen(now: number, connected: () => boolean): void {
    if (this.#state === 'opening' && this.age(now) >= headersWaitMs && connected()) this.#opened();
  }

  #opened(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.wasOpen = true;
    this.#events.onOpen();
  }

  #finish(): void {
    if (this.#state === 'ended' || !this.#status || !this.#readEnded) return;
    this.#state = 'ended';
    clearTimeout(this.#endTimer);
    this.#events.onEnd(this.#status);
  }
}
