import type { ErasureSettings, GilbertElliottSettings, LossSettings, LossUnit } from './channel-settings.js';
import { LinkCache } from './link-cache.js';
import { type LinkRandom, Purpose } from './link-random.js';
import type { LinkState } from './model.js';

/** Draws made at once: those of one block of the generator. */
const piece = 16;
const rememberedLinks = 16_384;

/** What is lost on a link. */
export interface Loss {
  readonly unit: LossUnit;
  /** Writes 1 for what is lost and 0 for what is not, for each of the k symbols at the link's position. */
  lost(link: LinkState, k: number, out: Uint8Array): void;
}

export function createLoss(settings: LossSettings): Loss {
  return settings.kind === 'erasure' ? new ErasureLoss(settings) : new GilbertElliottLoss(settings);
}

/** Each frame, or symbol, is lost with the same probability, independently; a frame by the draw of its first symbol. */
export class ErasureLoss implements Loss {
  readonly unit: LossUnit;
  readonly #probability: number;
  #draws = new Float64Array(64);

  constructor({ probability, unit }: ErasureSettings) {
    this.unit = unit;
    this.#probability = probability;
  }

  lost(link: LinkState, k: number, out: Uint8Array): void {
    if (this.#draws.length < k) this.#draws = new Float64Array(k);
    link.random.uniforms(Purpose.loss, link.position, k, this.#draws);
    for (let i = 0; i < k; i++) out[i] = this.#draws[i]! < this.#probability ? 1 : 0;
  }
}

/** Where the chain of a link is known to be. */
interface Known {
  /** -1: nowhere. */
  step: number;
  bad: boolean;
  /** The block of draws in `changes`; -1: none. */
  block: number;
  readonly changes: Float64Array;
}

/**
 * Loss in bursts: a Markov chain with a good and a bad state, p = P(good -> bad), q = P(bad -> good), and a probability
 * of loss in each. Gilbert, Bell Syst. Tech. J. 39 (1960); Elliott, ibid. 42 (1963). The chain is in the bad state p/(p+q)
 * of the time, for 1/q steps on average each time.
 *
 * It can be entered at any step: with p + q <= 1 a step of the chain is, with probability p + q, a fresh draw from the
 * stationary distribution, and otherwise stays where it is (this has the transition probabilities p and q). So the state
 * at a step is that of the last fresh draw, found by looking back 1/(p+q) steps on average.
 */
export class GilbertElliottLoss implements Loss {
  readonly unit: LossUnit;
  readonly #fresh: number;
  readonly #bad: number;
  readonly #lossGood: number;
  readonly #lossBad: number;
  readonly #stepSymbols: number;
  readonly #one = new Float64Array(1);
  readonly #cache = new LinkCache<Known>(rememberedLinks, () => ({
    step: -1,
    bad: false,
    block: -1,
    changes: new Float64Array(piece),
  }));
  #draws = new Float64Array(64);

  constructor({ goodToBad, badToGood, lossGood = 0, lossBad = 1, unit, stepSymbols = 1 }: GilbertElliottSettings) {
    this.unit = unit;
    this.#fresh = goodToBad + badToGood;
    this.#bad = goodToBad / this.#fresh;
    this.#lossGood = lossGood;
    this.#lossBad = lossBad;
    this.#stepSymbols = stepSymbols;
  }

  lost(link: LinkState, k: number, out: Uint8Array): void {
    if (this.#draws.length < k) this.#draws = new Float64Array(k);
    link.random.uniforms(Purpose.loss, link.position, k, this.#draws);
    let step = -1;
    let probability = 0;
    for (let i = 0; i < k; i++) {
      const here = Math.floor((link.position + i) / this.#stepSymbols);
      if (here !== step) probability = this.#isBad(link.random, here) ? this.#lossBad : this.#lossGood;
      step = here;
      out[i] = this.#draws[i]! < probability ? 1 : 0;
    }
  }

  #isBad(random: LinkRandom, step: number): boolean {
    const known = this.#cache.of(random);
    if (known.step !== step) {
      known.bad = this.#lookBack(random, step, known);
      known.step = step;
    }
    return known.bad;
  }

  /** The state of the last fresh draw at or before a step, or the known state if that is met first. */
  #lookBack(random: LinkRandom, step: number, known: Known): boolean {
    for (let at = step; ; at--) {
      if (at === known.step) return known.bad;
      // Step 0 is a fresh draw in any case.
      if (at === 0 || this.#change(random, at, known) < this.#fresh) return this.#draw(random, at);
    }
  }

  /** Below p + q: the step is a fresh draw. */
  #change(random: LinkRandom, step: number, known: Known): number {
    const block = Math.floor(step / piece);
    if (known.block !== block) random.uniforms(Purpose.lossChange, piece * block, piece, known.changes);
    known.block = block;
    return known.changes[step - piece * block]!;
  }

  #draw(random: LinkRandom, step: number): boolean {
    random.uniforms(Purpose.lossState, step, 1, this.#one);
    return this.#one[0]! < this.#bad;
  }
}
