import type { SemlinkError } from './errors.js';

interface Waiter {
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Counts bytes that are on their way and makes further ones wait, first come, first served. An item larger than the
 * whole window is let through when the window is empty, so nothing waits for ever.
 */
export class ByteWindow {
  readonly limit: number;
  #used = 0;
  readonly #waiters = new Set<Waiter>();
  #closed: SemlinkError | undefined;

  /** `limit`: bytes, > 0. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Takes `bytes` now, or returns false when they do not fit or others wait already. */
  tryAcquire(bytes: number): boolean {
    if (this.#closed || this.#waiters.size > 0 || !this.#fits(bytes)) return false;
    this.#used += bytes;
    return true;
  }

  /** Resolves when `bytes` have been taken. Rejects with the signal's reason, or with what `close` was given. */
  acquire(bytes: number, signal?: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.tryAcquire(bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
        // The one that gave up may have been what smaller ones behind it waited for.
        this.#admit();
      };
      const waiter: Waiter = {
        bytes,
        resolve: () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener('abort', aborted);
          reject(error);
        },
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** Gives back bytes taken before. */
  release(bytes: number): void {
    this.#used -= bytes;
    this.#admit();
  }

  /** Refuses everyone who waits and everyone who comes later. */
  close(error: SemlinkError): void {
    this.#closed = error;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.reject(error);
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.limit;
  }

  #admit(): void {
    // A Set keeps the order of insertion, and deleting from it while iterating is allowed.
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) return;
      this.#waiters.delete(waiter);
      this.#used += waiter.bytes;
      waiter.resolve();
    }
  }
}
