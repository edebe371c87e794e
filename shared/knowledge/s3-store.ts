import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Code, invalidArgument, SemlinkError } from '../rpc/errors.js';
import { checkedParts } from './object-name.js';
import type { KnowledgeStore, S3Options } from './store.js';

/** Of a multipart upload; S3 wants at least 5 MiB and takes 10,000 of them. Also all that a write holds in memory. */
const PART_BYTES = 8 * 1024 ** 2;

/** What must hold for an object to appear. */
interface Condition {
  IfNoneMatch?: '*';
}

/** Part of a bucket of an S3-compatible object store. */
export class S3Store implements KnowledgeStore {
  readonly url: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  /** Empty, or ends in `/`. */
  readonly #prefix: string;

  private constructor(client: S3Client, bucket: string, prefix: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.url = `s3://${bucket}/${prefix}`.replace(/\/$/, '');
  }

  /** @throws SemlinkError INVALID_ARGUMENT when `url` is not s3://bucket/prefix */
  static open(url: string, { endpoint, region }: S3Options): S3Store {
    const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,62})(?:\/+(.*?))?\/*$/.exec(url) ?? [];
    if (bucket === undefined) throw invalidArgument('store', url, 'use s3://bucket/prefix');
    // The pinned version is one for the Node versions that this project supports; the note would come with every command.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    const client = new S3Client({
      region: region ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1',
      // Stores of other makers rarely have a host name a bucket.
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      // Newer checksums are unknown to many of them; the format has its own.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    return new S3Store(client, bucket, prefix ? `${checkedParts(prefix).join('/')}/` : '');
  }

  async *list(prefix = ''): AsyncGenerator<string, void, undefined> {
    let next: string | undefined;
    do {
      const page = await this.#ask('list', () =>
        this.#client.send(
          new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix + prefix, ContinuationToken: next }),
        ),
      );
      for (const { Key } of page.Contents ?? []) if (Key && !Key.endsWith('/')) yield Key.slice(this.#prefix.length);
      next = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (next !== undefined);
  }

  async size(name: string): Promise<number | undefined> {
    try {
      const found = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#keyOf(name) }));
      return found.ContentLength;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#sentence(error, name);
    }
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const Range = `bytes=${offset}-${offset + length - 1}`;
    try {
      const found = await this.#client.send(
        new GetObjectCommand({ Bucket: this.#bucket, Key: this.#keyOf(name), Range }),
      );
      return (await found.Body?.transformToByteArray()) ?? new Uint8Array(0);
    } catch (error) {
      // The object ends before the range begins.
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 416) return new Uint8Array(0);
      throw this.#sentence(error, name);
    }
  }

  async write(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    await this.#put(name, chunks, {});
  }

  async create(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<boolean> {
    if ((await this.size(name)) !== undefined) {
      for await (const _ of chunks);
      return false;
    }
    try {
      // A store that does not know the condition ignores it.
      await this.#put(name, chunks, { IfNoneMatch: '*' });
      return true;
    } catch (error) {
      if (error instanceof SemlinkError && isTaken(error)) return false;
      throw error;
    }
  }

  async #put(
    name: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    condition: Condition,
  ): Promise<void> {
    const Key = this.#keyOf(name);
    const parts = inParts(chunks);
    const first = await parts.next();
    const Body = first.done ? new Uint8Array(0) : first.value;
    const second = first.done ? first : await parts.next();
    if (second.done) {
      await this.#ask(name, () =>
        this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key, Body, ...condition })),
      );
      return;
    }
    const all = async function* () {
      yield Body;
      yield second.value;
      yield* parts;
    };
    await this.#writeParts(name, Key, all, condition);
  }

  async remove(name: string): Promise<void> {
    await this.#ask(name, () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#keyOf(name) })),
    );
  }

  async removeAbandoned(): Promise<number> {
    return 0;
  }

  below(prefix: string): S3Store {
    return new S3Store(this.#client, this.#bucket, `${this.#keyOf(prefix)}/`);
  }

  close(): void {
    this.#client.destroy();
  }

  #keyOf(name: string): string {
    return this.#prefix + checkedParts(name).join('/');
  }

  /** The object appears when the upload is completed, never before. */
  async #writeParts(
    name: string,
    Key: string,
    parts: () => AsyncGenerator<Uint8Array>,
    condition: Condition,
  ): Promise<void> {
    const target = { Bucket: this.#bucket, Key };
    const { UploadId } = await this.#ask(name, () => this.#client.send(new CreateMultipartUploadCommand(target)));
    try {
      const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
      for await (const Body of parts()) {
        const PartNumber = Parts.length + 1;
        const { ETag } = await this.#ask(name, () =>
          this.#client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body })),
        );
        Parts.push({ ETag, PartNumber });
      }
      await this.#ask(name, () =>
        this.#client.send(
          new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts }, ...condition }),
        ),
      );
    } catch (error) {
      // Parts of an upload that was not aborted are kept, and paid for; that the abort fails too changes nothing here.
      await this.#client.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => undefined);
      throw error;
    }
  }

  async #ask<T>(name: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw this.#sentence(error, name);
    }
  }

  #sentence(error: unknown, name: string): SemlinkError {
    if (error instanceof SemlinkError) return error;
    const where = `${this.url} (${name})`;
    if (isMissing(error)) {
      const bucket = (error as Error).name === 'NoSuchBucket';
      const what = bucket ? `there is no bucket ${this.#bucket}; make it first` : 'there is none of this name';
      return new SemlinkError(Code.NOT_FOUND, `${where}: ${what}`, { cause: error });
    }
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === 401 || status === 403) {
      return new SemlinkError(Code.PERMISSION_DENIED, `${where}: access denied; check the AWS credentials`, {
        cause: error,
      });
    }
    const detail = error instanceof Error ? error.message || error.name : String(error);
    return new SemlinkError(Code.UNAVAILABLE, `${where}: the object store failed (${detail})`, { cause: error });
  }
}

/** There was an object of this name (412), or another was being stored at the same moment (409). */
function isTaken({ cause }: { cause?: unknown }): boolean {
  return cause instanceof S3ServiceException && [409, 412].includes(cause.$metadata.httpStatusCode ?? 0);
}

function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;
}

/** Chunks of any size as parts of `PART_BYTES`, the last one shorter. */
async function* inParts(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let part = new Uint8Array(0);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; ) {
      const taken = Math.min(chunk.length - from, PART_BYTES - filled);
      if (filled + taken > part.length) part = grown(part, filled, filled + taken);
      part.set(chunk.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
      if (filled === PART_BYTES) {
        yield part;
        part = new Uint8Array(0);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

function grown(part: Uint8Array<ArrayBuffer>, filled: number, needed: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(PART_BYTES, Math.max(needed, 2 * part.length)));
  larger.set(part.subarray(0, filled));
  return larger;
}
