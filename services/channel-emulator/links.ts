import { type ChannelSettings, createChannelModel } from '../../shared/channel/channel-config.js';
import { checkSettings } from '../../shared/channel/check-settings.js';
import { LinkRandom } from '../../shared/channel/link-random.js';
import type { ChannelEffect, ChannelModel } from '../../shared/channel/model.js';
import { resourceExhausted } from '../../shared/rpc/errors.js';
import { type AirSettings, type FrameTime, takeAir, waitFor } from './air/air-time.js';
import type { LinkBudget } from './air/link-budget.js';
import { type LinkSettings, plainSettings, resolveSettings } from './control/link-settings.js';
import { ExternalChannels } from './external/external-channels.js';
import { isOutside, type OutsideChannel } from './external/outside-channel.js';
import type { FeedbackSettings } from './feedback/feedback-settings.js';
import { LinkMemory } from './link-memory.js';

interface Channel {
  readonly settings: LinkSettings;
  readonly model: ChannelModel | OutsideChannel;
}

/** What the air did to one frame. */
export interface Passage extends ChannelEffect {
  readonly model: string;
  readonly snrDb: number;
  /** Symbols the link had carried before the frame. */
  readonly position: number;
  /** How long it took, and when it arrives. */
  readonly time: FrameTime;
}

/** What made a link's channel what it is. */
export type LinkChange = 'set' | 'reset' | 'scenario' | 'restore';
export type ChangeListener = (linkId: string, change: LinkChange) => void;

export interface LinksOptions {
  /** Seed of all links, 0 to 2^64 - 1. */
  seed: bigint;
  /** Channel of every link that has none of its own. */
  defaultChannel: ChannelSettings;
  /** The rest of the default. */
  defaults?: { budget?: LinkBudget | null; air?: AirSettings; feedback?: FeedbackSettings };
  /** Links whose position is remembered, and links with a channel of their own. */
  maxLinks: number;
  /** Opens the outside processes that are channels. Default: ones of its own. */
  externals?: ExternalChannels;
}

/**
 * The radio links. A link's channel follows from (seed, link id, position), so all that is kept of one is its position
 * (link-memory.ts says for how long). Every frame carries the position it was sent at, so what the air did can be worked
 * out all the same. Channels that were set stay set.
 */
export class Links {
  readonly #maxLinks: number;
  readonly #externals: ExternalChannels;
  #default: Channel;
  #own = new Map<string, Channel>();
  #memory: LinkMemory;
  /** The last frame of each link that has frames with an outside process, and settles when that has arrived. */
  readonly #outside = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<ChangeListener>();
  /** Called before each frame of a link with its position: scenarios that run on the time of the air. */
  readonly #drivers = new Map<string, (position: number) => void>();

  /** @throws SemlinkError INVALID_ARGUMENT when a default is out of range */
  constructor({ seed, defaultChannel, defaults, maxLinks, externals = new ExternalChannels() }: LinksOptions) {
    this.#maxLinks = maxLinks;
    this.#externals = externals;
    this.#memory = new LinkMemory(seed, maxLinks);
    this.#default = this.#channelOf({ ...plainSettings(defaultChannel), ...defaults });
  }

  get seed(): bigint {
    return this.#memory.seed;
  }

  /** Links whose position is known. */
  get size(): number {
    return this.#memory.size;
  }

  /**
   * Sends the symbols of one frame over a link, in place, and moves the link on by k.
   * @param symbols 2k numbers re, im, ... with unit average power; the received ones afterwards
   * @throws Error when the link `isOutside`
   */
  propagate(linkId: string, symbols: Float32Array): Passage {
    this.#drive(linkId);
    const link = this.#memory.use(linkId);
    const { position } = link;
    const { model, settings } = this.#own.get(linkId) ?? this.#default;
    if (isOutside(model)) throw new Error(`link ${linkId} has an outside channel: use propagateOutside`);
    const k = symbols.length / 2;
    const time = takeAir(settings.air, link, k, position, settings.air.realTime ? performance.now() : 0);
    const { gains, blockSymbols, noisePower, erased, snrDb = model.snrDb } = model.apply(symbols, link, symbols);
    link.position += k;
    link.placed = false;
    const { name } = model;
    return { gains, blockSymbols, noisePower, ...(erased && { erased }), model: name, snrDb, position, time };
  }

  /**
   * Whether an outside process is the channel of the link's next frame, or has an earlier one still. What a scenario has
   * to do before that frame is done first.
   */
  isOutside(linkId: string): boolean {
    this.#drive(linkId);
    return this.#outside.has(linkId) || isOutside((this.#own.get(linkId) ?? this.#default).model);
  }

  /**
   * `propagate` for any link: frames of a link arrive, or fail, in the order of the calls, also when its channel changes
   * between them. A frame that fails has moved the link on all the same.
   */
  propagateOutside(linkId: string, symbols: Float32Array): Promise<Passage> {
    this.#drive(linkId);
    const { model, settings } = this.#own.get(linkId) ?? this.#default;
    if (!isOutside(model)) return this.#inOrder(linkId, Promise.resolve(this.propagate(linkId, symbols)));
    const link = this.#memory.use(linkId);
    const { position } = link;
    waitFor(settings.air, link.air, performance.now());
    link.position += symbols.length / 2;
    link.placed = false;
    const { name, snrDb } = model;
    const passage = model.applyLater(symbols, symbols).then((effect): Passage => {
      const time = takeAir(settings.air, link, symbols.length / 2, position, performance.now());
      return { ...effect, model: name, snrDb, position, time };
    });
    return this.#inOrder(linkId, passage);
  }

  /**
   * Sets the channel model and SNR of one link, or with an empty id of every link that has none of its own; for frames
   * that come later.
   * @throws SemlinkError as `set`
   */
  setChannel(linkId: string, channel: ChannelSettings): void {
    this.set(linkId, { ...this.settingsOf(linkId), channel, budget: null }, 'set');
  }

  /**
   * Sets everything of one link, or with an empty id of every link that has no settings of its own; for frames that come
   * later. What is set stays when the new settings are no good.
   * @throws SemlinkError INVALID_ARGUMENT when a setting is out of range, RESOURCE_EXHAUSTED when too many links have a
   * channel of their own
   */
  set(linkId: string, settings: LinkSettings, change: LinkChange): void {
    const before = linkId === '' ? this.#default : this.#own.get(linkId);
    const channel = this.#channelOf(linkId === '' ? settings : startingHere(settings, this.positionOf(linkId)), before);
    if (linkId === '') {
      this.#default = channel;
    } else {
      try {
        if (!before) this.checkRoom([linkId]);
      } catch (error) {
        closeModel(channel);
        throw error;
      }
      this.#own.set(linkId, channel);
    }
    if (before?.model !== channel.model) closeModel(before);
    this.#changed(linkId, change);
  }

  /** Forgets a link's own settings: it follows the default again, at the position where it is. */
  reset(linkId: string, change: LinkChange = 'reset'): void {
    closeModel(this.#own.get(linkId));
    if (this.#own.delete(linkId)) this.#changed(linkId, change);
  }

  /** What is set for a link; with an empty id: the default. */
  settingsOf(linkId: string): LinkSettings {
    return (this.#own.get(linkId) ?? this.#default).settings;
  }

  /** Whether the link has settings of its own. */
  hasOwn(linkId: string): boolean {
    return this.#own.has(linkId);
  }

  /** The links that have settings of their own. */
  ownLinks(): IterableIterator<string> {
    return this.#own.keys();
  }

  /** Symbols the link has carried; 0 when it is not known. */
  positionOf(linkId: string): number {
    return this.#memory.peek(linkId)?.position ?? 0;
  }

  /** Every link whose position is known, with it; those used longest ago first. */
  *positions(): Generator<[string, number]> {
    for (const [linkId, { position }] of this.#memory.entries()) yield [linkId, position];
  }

  /** The channel that is set for a link (with an empty id: the default) and where the link stands. */
  channelOf(linkId: string): { settings: ChannelSettings; position: number } {
    return { settings: this.settingsOf(linkId).channel, position: this.positionOf(linkId) };
  }

  /** The random numbers of a link. */
  randomOf(linkId: string): LinkRandom {
    return this.#memory.peek(linkId)?.random ?? new LinkRandom(this.seed, linkId);
  }

  /** Starts over as a snapshot has it: other links and positions are forgotten. @throws SemlinkError INVALID_ARGUMENT */
  restart(seed: bigint, settings: LinkSettings): void {
    const channel = this.#channelOf(settings);
    for (const [linkId, own] of this.#own) {
      closeModel(own);
      this.#own.delete(linkId);
      this.#changed(linkId, 'restore');
    }
    closeModel(this.#default);
    this.#default = channel;
    this.#memory = new LinkMemory(seed, this.#maxLinks);
    this.#changed('', 'restore');
  }

  /**
   * Settings as they would be set, without setting them.
   * @throws SemlinkError INVALID_ARGUMENT naming the setting that is out of range
   */
  checked(settings: LinkSettings): LinkSettings {
    const resolved = resolveSettings(settings);
    checkSettings({ ...resolved.channel, symbolRateHz: resolved.air.symbolRateHz });
    return resolved;
  }

  /**
   * @param afresh as if no link had settings of its own yet
   * @throws SemlinkError RESOURCE_EXHAUSTED when these links cannot all have settings of their own
   */
  checkRoom(linkIds: readonly string[], afresh = false): void {
    const before = afresh ? 0 : this.#own.size;
    const added = afresh ? linkIds.length : linkIds.filter((linkId) => !this.#own.has(linkId)).length;
    if (before + added <= this.#maxLinks) return;
    throw resourceExhausted(
      'number of links with a channel of their own',
      this.#maxLinks,
      'set the default channel instead, or raise max-links of the channel-emulator',
    );
  }

  /**
   * A link comes from elsewhere where it had come as far as `position`, symbols: it goes on from there. A link that is known
   * here to be as far or further stays where it is, so that nothing of its channel comes twice; and one that was put
   * somewhere (`moveTo`) begins there.
   */
  goOn(linkId: string, position: number): void {
    const link = this.#memory.use(linkId);
    if (position > link.position && !link.placed) link.position = position;
  }

  /** Puts a link to a position, symbols. */
  moveTo(linkId: string, position: number): void {
    const link = this.#memory.use(linkId);
    link.position = position;
    link.placed = true;
  }

  /** Hears of every change, after it. Returns what ends that. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `driver` is called before each frame of the link with the link's position, and may set the link. */
  drive(linkId: string, driver: ((position: number) => void) | undefined): void {
    if (driver) this.#drivers.set(linkId, driver);
    else this.#drivers.delete(linkId);
  }

  /** `before`: what was set, whose model stays when nothing changes for it. */
  #channelOf(given: LinkSettings, before?: Channel): Channel {
    const settings = resolveSettings(given);
    const { channel, air } = settings;
    const same = before?.settings.channel === channel && before.settings.air.symbolRateHz === air.symbolRateHz;
    if (same) return { settings, model: before.model };
    if (channel.model === 'external') return { settings, model: this.#externals.channel(channel) };
    return { settings, model: createChannelModel({ ...channel, symbolRateHz: air.symbolRateHz }) };
  }

  #drive(linkId: string): void {
    if (this.#drivers.size > 0) this.#drivers.get(linkId)?.(this.positionOf(linkId));
  }

  #changed(linkId: string, change: LinkChange): void {
    for (const listener of this.#listeners) listener(linkId, change);
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
}

/** A recording that does not say where it begins begins where the link is. */
function startingHere(settings: LinkSettings, position: number): LinkSettings {
  const { channel } = settings;
  if (channel.model !== 'replay' || channel.replay.start !== undefined) return settings;
  return { ...settings, channel: { ...channel, replay: { ...channel.replay, start: position } } };
}

/** An outside process is let go when nothing uses it any more. */
function closeModel(channel: Channel | undefined): void {
  if (channel && isOutside(channel.model)) channel.model.close();
}
