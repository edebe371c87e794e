/** One image without an answer. */
export interface ErrorEntry {
  /** Rises by one with each error. */
  readonly id: number;
  /** ms since the Unix epoch. */
  readonly atMs: number;
  readonly sequence: number;
  /** Name of a google.rpc.Code. */
  readonly code: string;
  /** Service that said so. */
  readonly origin: string;
  readonly message: string;
  /** 32 hexadecimal digits; empty: the frame has no trace. */
  readonly traceId: string;
}

/** Errors that are kept. */
const mostErrors = 50;
/** A longer message is cut. */
const mostCharacters = 400;

/** The latest errors, bounded. */
export class ErrorList {
  readonly #entries: ErrorEntry[] = [];
  #nextId = 1;

  add(entry: Omit<ErrorEntry, 'id'>): void {
    this.#entries.push({ ...entry, message: entry.message.slice(0, mostCharacters), id: this.#nextId++ });
    if (this.#entries.length > mostErrors) this.#entries.shift();
  }

  /** Entries that came after one, oldest first. */
  after(id: number): ErrorEntry[] {
    return this.#entries.filter((entry) => entry.id > id);
  }
}
