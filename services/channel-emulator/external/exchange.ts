import type { ExternalSettings } from '../../../shared/channel/external.js';
import { hasCode } from '../../../shared/config/index.js';
import { type IqPort, openIqPort } from './iq-port.js';

const bytesPerSymbol = 8;
/** An exchange may take so many times the time limit, if something comes within each. */
const mostLimits = 10;

/**
 * How an exchange ended: everything came back; nothing more came for the time limit (`quiet`); something came all the
 * time, and not all of it (`slow`); a message was no whole number of symbols (`ragged`); the process went away.
 */
export type ExchangeEnd = 'all' | 'quiet' | 'slow' | 'ragged' | 'gone';

interface Running {
  received: Uint8Array;
  bytes: number;
  onProgress: (symbols: number) => void;
  end: (how: ExchangeEnd) => void;
}

/**
 * One question and its answer at a time over a port: so many symbols go out, so many are to come back, or only the
 * latter. Symbols that nobody waits for are counted as surplus.
 */
export class Exchange {
  readonly #settings: ExternalSettings;
  readonly #onConnected: (connected: boolean) => void;
  #port: IqPort | undefined;
  #opening: Promise<void> | undefined;
  #running: Running | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastTimer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Symbols that came and that nothing had been sent for; a ragged message counts as one. */
  surplus = 0;

  constructor(settings: ExternalSettings, onConnected: (connected: boolean) => void) {
    this.#settings = settings;
    this.#onConnected = onConnected;
  }

  get connected(): boolean {
    return this.#port?.connected ?? false;
  }

  /**
   * Opens the sockets once. An address in use is tried for half a second: the connection that this one replaces may have
   * it still.
   * @throws Error by ZeroMQ; the next call tries again
   */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const port = await openIqPort(this.#settings, {
          onBytes: (bytes) => this.#take(bytes),
          onConnected: (connected) => {
            if (!connected) this.#running?.end('gone');
            this.#onConnected(connected);
          },
        });
        if (this.#closed) port.close();
        else this.#port = port;
        return;
      } catch (error) {
        if (attempt === 6 || this.#closed || !hasCode(error, 'EADDRINUSE')) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /**
   * Sends symbols and waits for as many as `received` has room for; ends early when none came for `timeoutMs`, or not all
   * within ten times that.
   * @param sent 2n numbers, or none to only wait
   * @param received filled from its start
   * @param onProgress symbols there so far, whole ones, each time some came
   */
  run(
    sent: Float32Array,
    received: Float32Array,
    timeoutMs: number,
    onProgress: (symbols: number) => void = () => {},
  ): Promise<{ end: ExchangeEnd; symbols: number }> {
    const port = this.#port;
    if (!port?.connected) return Promise.resolve({ end: 'gone', symbols: 0 });
    return new Promise((resolve) => {
      const running: Running = {
        received: new Uint8Array(received.buffer, received.byteOffset, received.byteLength),
        bytes: 0,
        onProgress,
        end: (end) => {
          clearTimeout(this.#timer);
          clearTimeout(this.#lastTimer);
          this.#running = undefined;
          if (end !== 'all') port.reset();
          resolve({ end, symbols: running.bytes / bytesPerSymbol });
        },
      };
      this.#running = running;
      this.#timer = setTimeout(() => running.end('quiet'), timeoutMs);
      this.#lastTimer = setTimeout(() => running.end('slow'), mostLimits * timeoutMs);
      port.want(received.length / 2);
      if (sent.length > 0) port.send(new Uint8Array(sent.buffer, sent.byteOffset, sent.byteLength));
    });
  }

  close(): void {
    this.#closed = true;
    this.#running?.end('gone');
    this.#port?.close();
  }

  #take(bytes: Uint8Array): void {
    const running = this.#running;
    if (!running || bytes.length % bytesPerSymbol !== 0) {
      this.surplus += Math.ceil(bytes.length / bytesPerSymbol);
      running?.end('ragged');
      return;
    }
    const used = Math.min(running.received.length - running.bytes, bytes.length);
    running.received.set(bytes.subarray(0, used), running.bytes);
    running.bytes += used;
    this.surplus += (bytes.length - used) / bytesPerSymbol;
    this.#timer?.refresh();
    running.onProgress(running.bytes / bytesPerSymbol);
    if (running.bytes === running.received.length) running.end('all');
  }
}
