import type { KnowledgeDescription, ShardEntry } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { BlockCache, type CacheObserver } from '../../shared/knowledge/block-cache.js';
import { KnowledgeFault } from '../../shared/knowledge/fault.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { readManifest } from '../../shared/knowledge/publish.js';
import type { KnowledgeStore } from '../../shared/knowledge/store.js';
import { invalidArgument } from '../../shared/rpc/errors.js';
import { DraftSet } from './draft-set.js';

export interface LibraryOptions {
  readonly cacheBytes: number;
  /** Sets whose manifest is kept in memory. */
  readonly openSets: number;
  readonly observer: CacheObserver;
}

/** What is known of one set. */
export interface SetState {
  readonly name: string;
  readonly knowledge: KnowledgeDescription;
  readonly published: boolean;
  readonly shards: readonly ShardEntry[];
}

/** The sets of a store, each below its name. Published ones are read, others are being put together. */
export class KnowledgeLibrary {
  readonly #store: KnowledgeStore;
  readonly #options: LibraryOptions;
  readonly #cache: BlockCache;
  /** Published sets in order of use, the least recent first. */
  readonly #open = new Map<string, Promise<KnowledgeSet>>();
  readonly #drafts = new Map<string, DraftSet>();

  constructor(store: KnowledgeStore, options: LibraryOptions) {
    this.#store = store;
    this.#options = options;
    this.#cache = new BlockCache(options.cacheBytes);
  }

  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /**
   * A published set.
   *
   * @throws KnowledgeFault `absent` when there is none of this name, or what is wrong with it
   */
  set(name: string): Promise<KnowledgeSet> {
    checkSetName(name);
    let set = this.#open.get(name);
    this.#open.delete(name);
    set ??= KnowledgeSet.open(this.#store.below(name), { cache: this.#cache, observer: this.#options.observer });
    this.#open.set(name, set);
    set.catch(() => this.#open.delete(name));
    for (const [oldest] of this.#open) {
      if (this.#open.size <= this.#options.openSets) break;
      this.#open.delete(oldest);
    }
    return set;
  }

  /** A fault was met: whoever asks next looks at the store anew, where it may have been mended. */
  forget(name: string): void {
    this.#open.delete(name);
    this.#cache.forget(`${this.#store.below(name).url}#`);
  }

  /** A set that shards are put into; see {@link DraftSet}. */
  draft(name: string): DraftSet {
    checkSetName(name);
    const draft = this.#drafts.get(name) ?? new DraftSet(this.#store.below(name));
    this.#drafts.delete(name);
    this.#drafts.set(name, draft);
    for (const [oldest, { idle }] of this.#drafts) {
      if (this.#drafts.size <= this.#options.openSets) break;
      // What is known of it is read again when it is needed.
      if (idle && oldest !== name) this.#drafts.delete(oldest);
    }
    return draft;
  }

  /**
   * Publishes a set if all of its shards are there.
   *
   * @throws KnowledgeFault when shards of another set lie among them
   */
  async publishIfComplete(name: string): Promise<boolean> {
    if (!(await this.draft(name).publishIfComplete())) return false;
    this.#drafts.delete(name);
    this.#open.delete(name);
    return true;
  }

  /**
   * What there is of a set.
   *
   * @throws KnowledgeFault `absent` when there is nothing
   */
  async describe(name: string): Promise<SetState> {
    checkSetName(name);
    const published = await this.#published(name);
    if (published) return published;
    const draft = await this.draft(name).state();
    // Complete but not published: a service was killed in between.
    if (draft?.complete && (await this.publishIfComplete(name))) return (await this.#published(name))!;
    if (draft) return { name, published: false, knowledge: draft.knowledge, shards: draft.shards };
    this.#drafts.delete(name);
    throw new KnowledgeFault(
      'absent',
      `there is no knowledge set "${name}" in ${this.#store.url}; run "semlink teach"`,
    );
  }

  async #published(name: string): Promise<SetState | undefined> {
    const manifest = await readManifest(this.#store.below(name));
    return manifest && { name, knowledge: manifest.knowledge!, published: true, shards: manifest.shards };
  }

  /** The names of all sets, published or not. */
  async *names(): AsyncGenerator<string, void, undefined> {
    let last: string | undefined;
    for await (const object of this.#store.list()) {
      const [name] = object.split('/', 1);
      // Names come in order, so all of one set come together.
      if (name === last || !object.includes('/') || !isSetName(name!)) continue;
      last = name;
      if (/^[^/]+\/(manifest\.json|images-\d{8}-\d{8}\.shard)$/.test(object)) yield name!;
      else last = undefined;
    }
  }
}

const SET_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

function isSetName(name: string): boolean {
  return SET_NAME.test(name);
}

function checkSetName(name: string): void {
  if (isSetName(name)) return;
  throw invalidArgument('set', name, 'use 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first');
}
