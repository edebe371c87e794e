import { type ChannelSettings, createChannelModel } from '../../shared/channel/channel-config.js';
import { LinkRandom } from '../../shared/channel/link-random.js';
import type { ChannelEffect, ChannelModel } from '../../shared/channel/model.js';
import { resourceExhausted } from '../../shared/rpc/errors.js';
import { isOutside, type OutsideChannel } from './external/outside-channel.js';

/** A link that is in use: its random numbers and how far along them it is. */
interface Link {
  readonly random: LinkRandom;
  position: number;
}

interface Channel {
  readonly settings: ChannelSettings;
  readonly model: ChannelModel | OutsideChannel;
}

/** What the air did to one frame. */
export interface Passage extends ChannelEffect {
  readonly model: string;
  readonly snrDb: number;
  /** Symbols the link had carried before the frame. */
  readonly position: number;
}

export interface LinksOptions {
  /** Seed of all links, 0 to 2^64 - 1. */
  seed: bigint;
  /** Channel of every link that has none of its own. */
  defaultChannel: ChannelSettings;
  /** Links whose position is remembered, and links with a channel of their own. */
  maxLinks: number;
}

/**
 * The radio links. A link's channel follows from (seed, link id, position), so all that is kept of one is its position.
 *
 * Positions are kept in two generations of half of `maxLinks` each: a link that is used moves to the young one; when
 * that is full it becomes the old one, and what was left in the old one is forgotten. So the links used last are always
 * known, at constant cost a frame. A forgotten link starts at position 0 when it comes again; every frame carries the
 * position it was sent at, so what the air did can be worked out all the same. Channels that were set stay set.
 */
export class Links {
  readonly #seed: bigint;
  readonly #maxLinks: number;
  #default: Channel;
  readonly #own = new Map<string, Channel>();
  #young = new Map<string, Link>();
  #old = new Map<string, Link>();
  /** The last frame of each link that has frames with an outside process, and settles when that has arrived. */
  readonly #outside = new Map<string, Promise<unknown>>();

  /** @throws SemlinkError INVALID_ARGUMENT when the default channel is out of range */
  constructor({ seed, defaultChannel, maxLinks }: LinksOptions) {
    this.#seed = seed;
    this.#maxLinks = maxLinks;
    this.#default = channelOf(defaultChannel);
  }

  get seed(): bigint {
    return this.#seed;
  }

  /** Links whose position is known. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Sends the symbols of one frame over a link, in place, and moves the link on by k.
   * @param symbols 2k numbers re, im, ... with unit average power; the received ones afterwards
   * @throws Error when the link `isOutside`
   */
  propagate(linkId: string, symbols: Float32Array): Passage {
    const { model } = this.#own.get(linkId) ?? this.#default;
    if (isOutside(model)) throw new Error(`link ${linkId} has an outside channel: use propagateOutside`);
    const link = this.#link(linkId);
    const { position } = link;
    const effect = model.apply(symbols, link, symbols);
    link.position += symbols.length / 2;
    return { ...effect, model: model.name, snrDb: model.snrDb, position };
  }

  /** Whether an outside process is the link's channel, or has an earlier frame of the link still. */
  isOutside(linkId: string): boolean {
    return this.#outside.has(linkId) || isOutside((this.#own.get(linkId) ?? this.#default).model);
  }

  /**
   * `propagate` for any link: frames of a link arrive, or fail, in the order of the calls, also when its channel changes
   * between them. A frame that fails has moved the link on all the same.
   */
  propagateOutside(linkId: string, symbols: Float32Array): Promise<Passage> {
    const { model } = this.#own.get(linkId) ?? this.#default;
    if (!isOutside(model)) return this.#inOrder(linkId, Promise.resolve(this.propagate(linkId, symbols)));
    const link = this.#link(linkId);
    const { position } = link;
    link.position += symbols.length / 2;
    const { name, snrDb } = model;
    const passage = model
      .applyLater(symbols, symbols)
      .then((effect): Passage => ({ ...effect, model: name, snrDb, position }));
    return this.#inOrder(linkId, passage);
  }

  /**
   * Sets the channel of one link, or with an empty id of every link that has none of its own; for frames that come later.
   * @throws SemlinkError INVALID_ARGUMENT when a setting is out of range, RESOURCE_EXHAUSTED when too many links have a
   * channel of their own
   */
  setChannel(linkId: string, settings: ChannelSettings): void {
    const channel = channelOf(settings);
    if (linkId === '') {
      this.#default = channel;
      return;
    }
    if (!this.#own.has(linkId) && this.#own.size >= this.#maxLinks) {
      throw resourceExhausted(
        'number of links with a channel of their own',
        this.#own.size,
        'set the default channel instead, or raise max-links of the channel-emulator',
      );
    }
    this.#own.set(linkId, channel);
  }

  /** What is set for a link (with an empty id: the default) and where the link stands; 0 when it is not known. */
  channelOf(linkId: string): { settings: ChannelSettings; position: number } {
    const { settings } = this.#own.get(linkId) ?? this.#default;
    return { settings, position: (this.#young.get(linkId) ?? this.#old.get(linkId))?.position ?? 0 };
  }

  /** Holds a passage back until the frame before it in its link has arrived, or has failed. */
  #inOrder(linkId: string, passage: Promise<Passage>): Promise<Passage> {
    // A failure while the frame before is waited for is looked at later, not unhandled.
    passage.catch(() => {});
    const before = this.#outside.get(linkId);
    const inOrder = before ? before.then(() => passage) : passage;
    const settled: Promise<void> = inOrder
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        if (this.#outside.get(linkId) === settled) this.#outside.delete(linkId);
      });
    this.#outside.set(linkId, settled);
    return inOrder;
  }

  #link(linkId: string): Link {
    const young = this.#young.get(linkId);
    if (young) return young;
    const link = this.#old.get(linkId) ?? { random: new LinkRandom(this.#seed, linkId), position: 0 };
    this.#old.delete(linkId);
    if (this.#young.size >= Math.ceil(this.#maxLinks / 2)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(linkId, link);
    return link;
  }
}

function channelOf(settings: ChannelSettings): Channel {
  return { settings, model: createChannelModel(settings) };
}
