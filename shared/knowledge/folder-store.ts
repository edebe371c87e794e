import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCode, isMissing } from '../config/index.js';
import { Code, invalidArgument, notFound, SemlinkError } from '../rpc/errors.js';
import { removeAbandoned, UNFINISHED } from './abandoned.js';
import { checkedParts } from './object-name.js';
import { OpenFiles } from './open-files.js';
import type { KnowledgeStore } from './store.js';

/** A folder of this machine or a mounted one. */
export class FolderStore implements KnowledgeStore {
  readonly url: string;
  readonly #files: OpenFiles;

  constructor(folder: string, files = new OpenFiles()) {
    this.url = path.resolve(folder);
    this.#files = files;
  }

  /** @throws SemlinkError INVALID_ARGUMENT for a URL of another kind */
  static open(url: string): FolderStore {
    if (url.startsWith('file://')) return new FolderStore(fileURLToPath(url));
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) {
      throw invalidArgument('store', url, 'use a folder, or s3://bucket/prefix');
    }
    return new FolderStore(url);
  }

  async *list(prefix = ''): AsyncGenerator<string, void, undefined> {
    yield* walk(this.url, '', prefix);
  }

  async size(name: string): Promise<number | undefined> {
    try {
      const found = await stat(this.#pathOf(name));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    try {
      return await this.#files.with(this.#pathOf(name), async (file) => {
        const bytes = new Uint8Array(length);
        let at = 0;
        while (at < length) {
          const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
        return bytes.subarray(0, at);
      });
    } catch (error) {
      if (isMissing(error)) throw notFound(`object in ${this.url}`, name, 'there is none of this name');
      throw error;
    }
  }

  async write(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    await this.#put(name, chunks, async (unfinished, target) => {
      await rename(unfinished, target);
      return true;
    });
  }

  async create(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<boolean> {
    return this.#put(name, chunks, async (unfinished, target) => {
      try {
        // Unlike a rename, this fails where the name is taken.
        await link(unfinished, target);
      } catch (error) {
        if (hasCode(error, 'EEXIST')) return false;
        if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
        // A file system without links, where nothing keeps another process from coming in between.
        if ((await this.size(name)) !== undefined) return false;
        await rename(unfinished, target);
        return true;
      }
      await rm(unfinished);
      return true;
    });
  }

  /** @param place gives what has been written its name, or says that it must not */
  async #put(
    name: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    place: (unfinished: string, target: string) => Promise<boolean>,
  ): Promise<boolean> {
    const target = this.#pathOf(name);
    const folder = path.dirname(target);
    await mkdir(folder, { recursive: true });
    const unfinished = path.join(folder, `${UNFINISHED}-${randomUUID()}`);
    let placed = false;
    try {
      const file = await open(unfinished, 'wx');
      try {
        for await (const chunk of chunks) await file.writeFile(chunk);
        // Without this a power cut could leave the name without the content.
        await file.sync();
      } finally {
        await file.close();
      }
      placed = await place(unfinished, target).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
        throw new SemlinkError(Code.ABORTED, `${target} was taken for abandoned while it was written; write it again`);
      });
      if (placed) this.#files.forget(target);
    } finally {
      if (!placed) await rm(unfinished, { force: true });
    }
    if (placed) await syncFolder(folder);
    return placed;
  }

  async remove(name: string): Promise<void> {
    await rm(this.#pathOf(name), { force: true });
    this.#files.forget(this.#pathOf(name));
  }

  removeAbandoned(): Promise<number> {
    return removeAbandoned(this.url);
  }

  below(prefix: string): FolderStore {
    return new FolderStore(this.#pathOf(prefix), this.#files);
  }

  close(): void {
    this.#files.close();
  }

  #pathOf(name: string): string {
    return path.join(this.url, ...checkedParts(name));
  }
}

async function* walk(root: string, below: string, prefix: string): AsyncGenerator<string, void, undefined> {
  let entries: { name: string; isDirectory(): boolean; isFile(): boolean }[];
  try {
    entries = await readdir(path.join(root, below), { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const names = entries.map((entry) => ({ entry, name: below === '' ? entry.name : `${below}/${entry.name}` }));
  // A folder sorts as its name with "/", as the names in it do.
  const key = (one: (typeof names)[number]): string => (one.entry.isDirectory() ? `${one.name}/` : one.name);
  names.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  for (const { entry, name } of names) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) {
      if (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)) yield* walk(root, name, prefix);
    } else if (entry.isFile() && name.startsWith(prefix)) {
      yield name;
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch {
    // Some file systems cannot; the content itself is safe.
  } finally {
    await handle.close();
  }
}
