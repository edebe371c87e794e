import type { ServerResponse } from 'node:http';

/** Bytes that may wait for a page; beyond that it misses updates. */
const mostWaitingBytes = 512 * 1024;
/** A page that takes nothing for so long is let go. */
const mostSilentMs = 30_000;

/** One open page: a stream of server-sent events, which a page that reads slowly gets fewer of. */
export class PageStream {
  readonly #response: ServerResponse;
  #blockedSinceMs: number | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Proxies that gather what they pass would make jumps of it.
      'x-accel-buffering': 'no',
    });
    // A browser asks again after so many milliseconds.
    response.write('retry: 1000\n\n');
  }

  /** Bytes not read yet. */
  get waitingBytes(): number {
    return this.#response.writableLength;
  }

  /** Whether there is room; otherwise what is new is for later. Lets go of a page that has not read for long. */
  get takes(): boolean {
    if (this.#response.writableLength <= mostWaitingBytes) {
      this.#blockedSinceMs = undefined;
      return true;
    }
    const now = performance.now();
    this.#blockedSinceMs ??= now;
    if (now - this.#blockedSinceMs > mostSilentMs) this.#response.destroy();
    return false;
  }

  /** @param json without line breaks */
  send(event: string, json: string): void {
    this.#response.write(`event: ${event}\ndata: ${json}\n\n`);
  }

  end(): void {
    this.#response.end();
  }
}
