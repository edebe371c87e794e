import type { LinkState } from './model.js';
import { PhaseNoise } from './phase-noise.js';
import { cosineOfTurns, unitsOf, unitsPerTurn, unitsTimes } from './turns.js';

/**
 * Carrier frequency offset and phase noise: symbol i of the link is turned by f i / symbolRate + w_i turns, f the offset
 * and w the phase noise, both 0 at position 0.
 *
 * What a receiver with perfect pilots learns of it is the phase at the frame's first symbol, as from a preamble: that
 * phase is part of the gains told; the turning after it stays in the symbols.
 */
export class Oscillator {
  /** Whole numbers of 2^-48 turns a symbol: exact at any position. */
  readonly #offsetUnits: number;
  readonly #noise: PhaseNoise | undefined;

  constructor(carrierFrequencyOffsetHz: number, phaseNoiseLinewidthHz: number, symbolRateHz: number) {
    this.#offsetUnits = unitsOf(carrierFrequencyOffsetHz / symbolRateHz);
    if (phaseNoiseLinewidthHz > 0) this.#noise = new PhaseNoise(phaseNoiseLinewidthHz, symbolRateHz);
  }

  /** Writes exp(j phase) of the k symbols at the link's position: 2k numbers re, im, ... */
  phasors(link: LinkState, k: number, out: Float32Array): void {
    let units = unitsTimes(this.#offsetUnits, link.position);
    for (let i = 0; i < k; i++) {
      const turns = units / unitsPerTurn + (this.#noise ? this.#noise.at(link, link.position + i) : 0);
      out[2 * i] = cosineOfTurns(turns);
      out[2 * i + 1] = cosineOfTurns(turns - 0.25);
      units += this.#offsetUnits;
      if (units >= unitsPerTurn) units -= unitsPerTurn;
    }
  }
}
