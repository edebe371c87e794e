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

  #touch(linkId: string): Link {
    const link = this.#links.get(linkId) ?? { policy: undefined, state: undefined, controllers: new Map() };
    this.#links.delete(linkId);
    this.#links.set(linkId, link);
    if (this.#links.size > this.#options.maxLinks) this.#links.delete(this.#links.keys().next().value!);
    return link;
  }
}
