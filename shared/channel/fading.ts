import type { LinkState } from './model.js';

/** What a channel does to symbols before noise: the part of it that a model's name stands for. */
export type Fading = FlatFading | DispersiveFading;

/** One complex gain a symbol. */
export interface FlatFading {
  /** Writes the gains h of the k symbols at the link's position: 2k numbers re, im, ... with E|h|^2 = 1. */
  fade(link: LinkState, k: number, gains: Float32Array): void;
}

/** Symbols run into each other. */
export interface DispersiveFading {
  /**
   * Convolves k symbols with the channel, in place.
   * @param gains 2k numbers: the gain of each symbol in the path that a receiver synchronises to
   */
  disperse(symbols: Float32Array, link: LinkState, gains: Float32Array): void;
}

/** h = 1. */
export const noFading: FlatFading = {
  fade(_link, k, gains) {
    for (let i = 0; i < k; i++) {
      gains[2 * i] = 1;
      gains[2 * i + 1] = 0;
    }
  },
};
