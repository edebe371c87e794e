import type { Manifest } from '../../shared/codec/manifest.js';
import {
  type FedBackState,
  RateController,
  type RateControlOptions,
  type RateDecision,
  type RatePolicy,
} from '../../shared/codec/rate-control.js';

interface Link {
  policy: RatePolicy | undefined;
  state: FedBackState | undefined;
  /** One a model, since lengths and calibration are the model's. */
  controllers: Map<string, RateController>;
  /** Symbols that were sent here. */
  sent: number;
  /** What the link has carried beyond that: sent by others, or before this process. */
  elsewhere: number;
  /** `sent` at the latest frame whose position is known. */
  knownAt: number;
}

export interface LinkTableOptions extends RateControlOptions {
  /** Links remembered at most; the one unused for longest is forgotten first, with its policy. */
  maxLinks: number;
  /** Policy of links that were given none. */
  defaultPolicy: RatePolicy;
}

/** What the transmitter knows of each link: its policy and its latest channel state. */
export class LinkTable {
  readonly #options: LinkTableOptions;
  /** In order of last use. */
  readonly #links = new Map<string, Link>();

  constructor(options: LinkTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#links.size;
  }

  setPolicy(linkId: string, policy: RatePolicy): void {
    this.#touch(linkId).policy = policy;
  }

  /** Takes channel state in; older than what is known is ignored, for it can arrive on another stream. */
  update(linkId: string, state: FedBackState): void {
    const link = this.#touch(linkId);
    if (!link.state || state.measuredAtMs >= link.state.measuredAtMs) link.state = state;
  }

  /** Decides the length of a frame that is about to be encoded with `model`. */
  decide(linkId: string, model: Manifest, nowMs: number): RateDecision {
    const link = this.#touch(linkId);
    let controller = link.controllers.get(model.version);
    if (!controller) {
      controller = new RateController(model, this.#options);
      link.controllers.set(model.version, controller);
    }
    return controller.choose(link.policy ?? this.#options.defaultPolicy, link.state, nowMs);
  }

  /**
   * A frame of k symbols leaves. Returns where the link is before it, as far as is known: for an emulator to which the link is
   * new, because it was elsewhere before; and what `arrived` asks for.
   */
  leave(linkId: string, channelUses: number): { position: number; sent: number } {
    const link = this.#touch(linkId);
    const { sent } = link;
    link.sent += channelUses;
    return { position: Math.max(0, sent + link.elsewhere), sent };
  }

  /** The emulator has said at which position a frame was that left at `sent`: its word counts, as after a restored snapshot. */
  arrived(linkId: string, sent: number, position: number): void {
    const link = this.#links.get(linkId);
    // A link forgotten meanwhile counts anew.
    if (!link || sent < link.knownAt || sent >= link.sent) return;
    link.knownAt = sent;
    link.elsewhere = position - sent;
  }

  #touch(linkId: string): Link {
    const link = this.#links.get(linkId) ?? {
      policy: undefined,
      state: undefined,
      controllers: new Map(),
      sent: 0,
      elsewhere: 0,
      knownAt: 0,
    };
    this.#links.delete(linkId);
    this.#links.set(linkId, link);
    if (this.#links.size > this.#options.maxLinks) this.#links.delete(this.#links.keys().next().value!);
    return link;
  }
}
