import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type KnowledgeDescription, type ShardEntry, ShardEntrySchema } from '../gen/semlink/v1/knowledge_pb.js';
import { descriptionJson } from './description.js';
import { KnowledgeFault, type KnowledgeFaultKind } from './fault.js';
import { parseShardStart, type ShardLayout, shardFile } from './shard.js';
import type { KnowledgeStore } from './store.js';

/** Read at a time; with one block, all that checking a shard of any size holds in memory. */
const READ_BYTES = 1024 ** 2;
const MOST_START_BYTES = 2 * 1024 ** 2;

/** What a shard must be. */
export interface ExpectedShard {
  readonly knowledge: KnowledgeDescription;
  readonly firstImage: number;
  readonly images: number;
}

/** Checks a shard file that passes by in pieces: header, every block, end, and that it is the one that was expected. */
export class ShardInspector {
  readonly #where: string;
  readonly #expected: ExpectedShard;
  readonly #hash = createHash('sha256');
  #layout: ShardLayout | undefined;
  /** Bytes not yet looked at. */
  #pending = Buffer.alloc(0);
  #bytes = 0;
  #block = 0;

  constructor(where: string, expected: ExpectedShard) {
    this.#where = where;
    this.#expected = expected;
  }

  /** @throws KnowledgeFault as soon as something is wrong */
  push(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    this.#pending = Buffer.concat([this.#pending, chunk]);
    if (!this.#layout && !this.#readStart()) return;
    const layout = this.#layout!;
    let at = 0;
    while (this.#block < layout.blocks) {
      const { length } = layout.rangeOfBlock(this.#block);
      if (this.#pending.length - at < length) break;
      layout.checkedBlock(this.#block, this.#pending.subarray(at, at + length), this.#where);
      this.#block++;
      at += length;
    }
    this.#pending = this.#pending.subarray(at);
    if (this.#bytes > layout.fileBytes) layout.checkEnd(this.#pending, this.#bytes, this.#where);
  }

  /**
   * The file has ended.
   *
   * @returns what a manifest says about it
   * @throws KnowledgeFault when it is not whole
   */
  finish(): ShardEntry {
    if (!this.#layout) {
      throw new KnowledgeFault(
        'truncated',
        `${this.#where} ends within its header (${this.#bytes} bytes); make it anew`,
      );
    }
    this.#layout.checkEnd(this.#pending, this.#bytes, this.#where);
    const { firstImage, images } = this.#expected;
    return create(ShardEntrySchema, {
      file: shardFile(this.#expected),
      firstImage,
      images,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
    });
  }

  #readStart(): boolean {
    const layout = parseShardStart(this.#pending, this.#where);
    if (!layout) {
      if (this.#bytes > MOST_START_BYTES)
        throw new KnowledgeFault('damaged', `${this.#where} has no end of its header`);
      return false;
    }
    requireShard(layout, this.#expected, this.#where);
    this.#layout = layout;
    this.#pending = this.#pending.subarray(layout.rangeOfBlock(0).offset);
    return true;
  }
}

/** @throws KnowledgeFault when a sound shard is not the one that belongs there */
export function requireShard(layout: ShardLayout, expected: ExpectedShard, where: string): void {
  const { knowledge, firstImage, images } = layout.header;
  if (descriptionJson(knowledge!) !== descriptionJson(expected.knowledge)) {
    throw otherSet(where, knowledge!, expected.knowledge);
  }
  if (firstImage !== expected.firstImage || images !== expected.images) {
    throw new KnowledgeFault(
      'misplaced',
      `${where} holds ${shardFile(layout.header)} and is called otherwise; give it back its name`,
    );
  }
}

/** A shard that belongs to another set, with the first thing that tells them apart. */
function otherSet(where: string, found: KnowledgeDescription, wanted: KnowledgeDescription): KnowledgeFault {
  const fault = (kind: KnowledgeFaultKind, is: string, due: string): KnowledgeFault =>
    new KnowledgeFault(kind, `${where} is knowledge with ${is}, not ${due}; keep every set in a store of its own`);
  const short = (sha256: string): string => sha256.slice(0, 12);
  const { dataSet, teacher, augmentation } = found;
  if (dataSet!.sha256 !== wanted.dataSet!.sha256) {
    const [is, due] = [dataSet!, wanted.dataSet!].map((one) => `${one.name} (${short(one.sha256)})`);
    return fault('other-data-set', `data set ${is}`, due!);
  }
  if (teacher!.sha256 !== wanted.teacher!.sha256) {
    const [is, due] = [teacher!, wanted.teacher!].map((one) => `${one.name} (${short(one.sha256)})`);
    return fault('other-teacher', `teacher ${is}`, due!);
  }
  if (augmentation!.sha256 !== wanted.augmentation!.sha256) {
    const [is, due] = [augmentation!, wanted.augmentation!].map(
      (one) => `${one.name} ${one.version}, seed ${one.seed}`,
    );
    return fault('other-augmentation', `augmentation ${is}`, due!);
  }
  const field = (['images', 'views', 'topK', 'featureSize', 'imagesPerShard', 'recordsPerBlock'] as const).find(
    (name) => found[name] !== wanted[name],
  );
  if (field) return fault('misplaced', `${field} ${found[field]}`, `${wanted[field]}`);
  return fault('misplaced', 'another description', 'that of its set');
}

/** Reads a stored shard through, a piece at a time; undefined: there is none. See {@link ShardInspector} for errors. */
export async function inspectShard(store: KnowledgeStore, expected: ExpectedShard): Promise<ShardEntry | undefined> {
  const name = shardFile(expected);
  const size = await store.size(name);
  if (size === undefined) return undefined;
  const inspector = new ShardInspector(`${store.url}/${name}`, expected);
  for (let offset = 0; offset < size; offset += READ_BYTES) {
    const piece = await store.read(name, offset, Math.min(READ_BYTES, size - offset));
    inspector.push(piece);
  }
  return inspector.finish();
}
