/**
 * Where knowledge lies: named, immutable objects in a folder or under a prefix of an object store.
 *
 * Names are relative, with `/` between parts, of letters, digits, `.`, `_` and `-`.
 */
export interface KnowledgeStore {
  /** For people: a path, or `s3://bucket/prefix`. */
  readonly url: string;

  /** The names of all objects below `prefix` (`''`: all), in order of their characters. */
  list(prefix?: string): AsyncIterable<string>;

  /** Bytes of an object; undefined when there is none of this name. */
  size(name: string): Promise<number | undefined>;

  /**
   * Reads part of an object; fewer bytes when the object ends before.
   *
   * @throws SemlinkError NOT_FOUND when there is none of this name
   */
  read(name: string, offset: number, length: number): Promise<Uint8Array>;

  /**
   * Stores an object, in whole or not at all: nobody ever reads a part of it. Replaces one of the same name.
   *
   * @param chunks the content; taken as it is needed, so that it need not be in memory at once
   */
  write(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;

  /**
   * Stores an object as `write` does, unless there is one of this name, which stays as it is. Of several processes that do
   * so at once, one stores its own.
   *
   * @param chunks always taken to their end
   * @returns whether it was stored
   */
  create(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<boolean>;

  /** Removes an object; does nothing when there is none. */
  remove(name: string): Promise<void>;

  /**
   * Removes what writers that were killed have left of unfinished objects. Of S3 a rule of the bucket does so
   * (AbortIncompleteMultipartUpload), nothing is done here.
   *
   * @returns how many pieces were removed
   */
  removeAbandoned(): Promise<number>;

  /** A store of what lies below `prefix`. */
  below(prefix: string): KnowledgeStore;

  /** Lets go of connections. */
  close(): void;
}

/** How to reach an S3-compatible store; for folders without meaning. */
export interface S3Options {
  /** Of a store that is not Amazon's, for example `http://127.0.0.1:7070`. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
}

/**
 * Opens a store by its URL. Credentials of S3 come from the environment or the AWS configuration, as with every AWS tool.
 * Nothing is read or made yet.
 *
 * @param url a folder (also as `file:///folder`), or `s3://bucket/prefix`
 * @throws SemlinkError INVALID_ARGUMENT for any other kind of URL
 */
export async function openStore(url: string, s3: S3Options = {}): Promise<KnowledgeStore> {
  if (url.startsWith('s3://')) {
    // The S3 client is large, and most never need it.
    const { S3Store } = await import('./s3-store.js');
    return S3Store.open(url, s3);
  }
  const { FolderStore } = await import('./folder-store.js');
  return FolderStore.open(url);
}
