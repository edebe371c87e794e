import { type FileHandle, open } from 'node:fs/promises';

/** Files that stay open between reads. */
const MOST_OPEN = 32;
/** How long one stays open without a read; also how soon a file that was replaced is seen. */
const IDLE_MS = 1_000;

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  readonly openedAt: number;
  users: number;
  retired: boolean;
}

/**
 * Files that are read a little at a time, kept open for as long as they are: opening and closing takes several times as
 * long as reading a block. Every file is opened anew after a second, so one that was replaced is not read for ever.
 */
export class OpenFiles {
  /** In order of use, the least recent first. */
  readonly #files = new Map<string, OpenFile>();
  #timer: NodeJS.Timeout | undefined;

  /** Calls `use` with an open file. @throws what opening it throws */
  async with<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = this.#take(path);
    try {
      return await use(await file.handle);
    } catch (error) {
      // A failed open or read is tried again the next time.
      this.#retire(path, file);
      throw error;
    } finally {
      file.users--;
      if (file.retired) closeUnused(file);
    }
  }

  /** The content behind a path has changed. */
  forget(path: string): void {
    const file = this.#files.get(path);
    if (file) this.#retire(path, file);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [path, file] of this.#files) this.#retire(path, file);
  }

  #take(path: string): OpenFile {
    let file = this.#files.get(path);
    if (file && Date.now() - file.openedAt > IDLE_MS) {
      this.#retire(path, file);
      file = undefined;
    }
    file ??= { handle: open(path, 'r'), openedAt: Date.now(), users: 0, retired: false };
    file.users++;
    this.#files.delete(path);
    this.#files.set(path, file);
    for (const [oldest, other] of this.#files) {
      if (this.#files.size <= MOST_OPEN) break;
      this.#retire(oldest, other);
    }
    if (!this.#timer) {
      this.#timer = setTimeout(() => this.close(), IDLE_MS);
      this.#timer.unref();
    }
    return file;
  }

  #retire(path: string, file: OpenFile): void {
    if (this.#files.get(path) === file) this.#files.delete(path);
    if (file.retired) return;
    file.retired = true;
    closeUnused(file);
  }
}

function closeUnused(file: OpenFile): void {
  if (file.users > 0) return;
  // That it cannot be closed, or was never opened, changes nothing for anyone.
  file.handle.then((handle) => handle.close()).catch(() => {});
}
