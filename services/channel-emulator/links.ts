import { type ChannelSettings, createChannelModel } from '../../shared/channel/channel-config.js';
import { LinkRandom } from '../../shared/channel/link-random.js';
import type { ChannelEffect, ChannelModel } from '../../shared/channel/model.js';
import { resourceExhausted } from '../../shared/rpc/errors.js';

/** A link that is in use: its random numbers and how far along them it is. */
interface Link {
  readonly random: LinkRandom;
  position: number;
}

interface Channel {
  readonly settings: ChannelSettings;
  readonly model: ChannelModel;
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
   */
  propagate(linkId: string, symbols: Float32Array): Passage {
    const { model } = this.#own.get(linkId) ?? this.#default;
    const link = this.#link(linkId);
    const { position } = link;
    const effect = model.apply(symbols, link, symbols);
    link.position += symbols.length / 2;
    return { ...effect, model: model.name, snrDb: model.snrDb, position };
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
