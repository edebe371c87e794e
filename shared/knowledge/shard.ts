import { createHash } from 'node:crypto';
import { create, fromJsonString, toJson } from '@bufbuild/protobuf';
import {
  type KnowledgeDescription,
  type ShardEntry,
  ShardEntrySchema,
  type ShardHeader,
  ShardHeaderSchema,
} from '../gen/semlink/v1/knowledge_pb.js';
import { checkDescription } from './description.js';
import { KnowledgeFault } from './fault.js';

const MAGIC = Buffer.from('SLKNOW1\n', 'latin1');
const END_MAGIC = Buffer.from('SLKEND1\n', 'latin1');
const PREFIX_BYTES = 48;
const FOOTER_BYTES = 24;
/** Of a block's SHA-256, which is kept after it. */
const CHECK_BYTES = 16;
/** Far more than a header ever has; for reading it with what follows in one go. */
export const HEADER_READ_BYTES = 4096;
const MOST_HEADER_BYTES = 1024 ** 2;

/** The shards that a set consists of, in the order of their images. */
export function shardRanges(description: KnowledgeDescription): { firstImage: number; images: number }[] {
  const { images, imagesPerShard } = description;
  return Array.from({ length: Math.ceil(images / imagesPerShard) }, (_, i) => {
    const firstImage = i * imagesPerShard;
    return { firstImage, images: Math.min(imagesPerShard, images - firstImage) };
  });
}

/** Name of the file that holds these images. */
export function shardFile({ firstImage, images }: { firstImage: number; images: number }): string {
  const digits = (image: number): string => String(image).padStart(8, '0');
  return `images-${digits(firstImage)}-${digits(firstImage + images - 1)}.shard`;
}

/** Where everything is in one shard. */
export class ShardLayout {
  readonly header: ShardHeader;
  readonly records: number;
  readonly recordBytes: number;
  readonly recordsPerBlock: number;
  readonly blocks: number;
  /** Of the whole file. */
  readonly fileBytes: number;
  readonly headerBytes: Uint8Array;
  readonly headerSha256: Buffer;

  constructor(header: ShardHeader, headerBytes: Uint8Array = headerJson(header)) {
    const { views, recordBytes, recordsPerBlock } = header.knowledge!;
    this.header = header;
    this.headerBytes = headerBytes;
    this.headerSha256 = createHash('sha256').update(headerBytes).digest();
    this.records = header.images * views;
    this.recordBytes = recordBytes;
    this.recordsPerBlock = recordsPerBlock;
    this.blocks = Math.ceil(this.records / recordsPerBlock);
    this.fileBytes =
      PREFIX_BYTES + headerBytes.length + this.records * recordBytes + this.blocks * CHECK_BYTES + FOOTER_BYTES;
  }

  recordsOfBlock(block: number): number {
    return Math.min(this.recordsPerBlock, this.records - block * this.recordsPerBlock);
  }

  /** Where a block and its checksum lie in the file. */
  rangeOfBlock(block: number): { offset: number; length: number } {
    return {
      offset: PREFIX_BYTES + this.headerBytes.length + block * (this.recordsPerBlock * this.recordBytes + CHECK_BYTES),
      length: this.recordsOfBlock(block) * this.recordBytes + CHECK_BYTES,
    };
  }

  /**
   * The records of a block as read.
   *
   * @throws KnowledgeFault `truncated` or `damaged`, naming `where`
   */
  checkedBlock(block: number, bytes: Uint8Array, where: string): Uint8Array {
    const { length } = this.rangeOfBlock(block);
    if (bytes.length !== length) {
      throw new KnowledgeFault(
        'truncated',
        `${where} ends in the middle of block ${block} (${bytes.length} of its ${length} bytes); ${MAKE_ANEW}`,
      );
    }
    const records = bytes.subarray(0, length - CHECK_BYTES);
    if (!this.#check(block, records).equals(bytes.subarray(length - CHECK_BYTES))) {
      const first = this.header.firstImage + Math.floor((block * this.recordsPerBlock) / this.header.knowledge!.views);
      throw new KnowledgeFault(
        'damaged',
        `${where} is damaged: block ${block}, which begins at image ${first}, has not the checksum it was written with; ${MAKE_ANEW}`,
      );
    }
    return records;
  }

  /** The whole file. @param records all of the shard, one after the other */
  encode(records: Uint8Array): Uint8Array {
    if (records.length !== this.records * this.recordBytes) {
      throw new RangeError(`${records.length} bytes of records; the shard has ${this.records} x ${this.recordBytes}`);
    }
    const file = Buffer.alloc(this.fileBytes);
    MAGIC.copy(file, 0);
    file.writeUInt32LE(this.headerBytes.length, 8);
    this.headerSha256.copy(file, 16);
    file.set(this.headerBytes, PREFIX_BYTES);
    for (let block = 0; block < this.blocks; block++) {
      const { offset, length } = this.rangeOfBlock(block);
      const from = block * this.recordsPerBlock * this.recordBytes;
      const part = records.subarray(from, from + length - CHECK_BYTES);
      file.set(part, offset);
      file.set(this.#check(block, part), offset + part.length);
    }
    file.set(this.#footer(), this.fileBytes - FOOTER_BYTES);
    return file;
  }

  /** @throws KnowledgeFault when a file with this header does not end as it must */
  checkEnd(lastBytes: Uint8Array, fileBytes: number, where: string): void {
    if (fileBytes < this.fileBytes) {
      throw new KnowledgeFault(
        'truncated',
        `${where} was cut short: it has ${fileBytes} of its ${this.fileBytes} bytes; ${MAKE_ANEW}`,
      );
    }
    const footer = this.#footer();
    if (fileBytes > this.fileBytes || !footer.equals(lastBytes.subarray(lastBytes.length - FOOTER_BYTES))) {
      throw new KnowledgeFault('damaged', `${where} does not end as it was written to; ${MAKE_ANEW}`);
    }
  }

  #check(block: number, records: Uint8Array): Buffer {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(block);
    const digest = createHash('sha256').update(this.headerSha256).update(number).update(records).digest();
    return digest.subarray(0, CHECK_BYTES);
  }

  #footer(): Buffer {
    const footer = Buffer.alloc(FOOTER_BYTES);
    footer.writeBigUInt64LE(BigInt(this.records), 0);
    footer.writeBigUInt64LE(BigInt(this.blocks), 8);
    END_MAGIC.copy(footer, 16);
    return footer;
  }
}

const MAKE_ANEW = 'remove it and teach again, or fetch it again';

function headerJson(header: ShardHeader): Uint8Array {
  return Buffer.from(JSON.stringify(toJson(ShardHeaderSchema, header)), 'utf8');
}

/** The layout of a shard that is about to be written. */
export function newShard(knowledge: KnowledgeDescription, range: { firstImage: number; images: number }): ShardLayout {
  return new ShardLayout(create(ShardHeaderSchema, { knowledge, ...range }));
}

/**
 * Reads the header of a shard file.
 *
 * @param start the first bytes of the file; `undefined` is returned when they do not hold all of the header
 * @throws KnowledgeFault `foreign`, `damaged` or `malformed`, naming `where`
 */
export function parseShardStart(start: Uint8Array, where: string): ShardLayout | undefined {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.length);
  if (bytes.length < PREFIX_BYTES) return undefined;
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) {
    throw new KnowledgeFault('foreign', `${where} is not a knowledge shard; ${MAKE_ANEW}`);
  }
  const length = bytes.readUInt32LE(8);
  const damaged = () =>
    new KnowledgeFault('damaged', `${where} is damaged: its header is not as written; ${MAKE_ANEW}`);
  if (length > MOST_HEADER_BYTES || bytes.readUInt32LE(12) !== 0) throw damaged();
  if (bytes.length < PREFIX_BYTES + length) return undefined;
  const header = bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
  if (!createHash('sha256').update(header).digest().equals(bytes.subarray(16, 48))) throw damaged();
  let message: ShardHeader;
  try {
    message = fromJsonString(ShardHeaderSchema, header.toString('utf8'));
  } catch (cause) {
    throw new KnowledgeFault('malformed', `${where} has a header that cannot be read; ${MAKE_ANEW}`, { cause });
  }
  checkDescription(message.knowledge, where);
  const { firstImage, images, knowledge } = message;
  if (images < 1 || firstImage + images > knowledge.images) {
    throw new KnowledgeFault(
      'malformed',
      `${where} says it holds images ${firstImage} to ${firstImage + images - 1} of ${knowledge.images}; ${MAKE_ANEW}`,
    );
  }
  return new ShardLayout(message, new Uint8Array(header));
}

/** What a manifest says about a shard file. */
export function shardEntry({ header }: ShardLayout, file: Uint8Array): ShardEntry {
  const { firstImage, images } = header;
  const sha256 = createHash('sha256').update(file).digest('hex');
  return create(ShardEntrySchema, { file: shardFile(header), firstImage, images, bytes: file.length, sha256 });
}
