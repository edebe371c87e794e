import type { DopplerPaths } from './doppler-paths.js';
import type { FlatFading } from './fading.js';
import type { LinkState } from './model.js';

/**
 * Flat fading of one path with Clarke's (Jakes') Doppler spectrum, correlated over symbols and frames:
 * E h(t + tau) conj(h(t)) = J0(2 pi fd tau), and with a line of sight of K at 0.7 fd
 * (J0(2 pi fd tau) + K exp(j 2 pi 0.7 fd tau)) / (K + 1). See `DopplerPaths`.
 */
export class JakesFading implements FlatFading {
  readonly #paths: DopplerPaths;
  readonly #now = new Float64Array(2);

  constructor(paths: DopplerPaths) {
    this.#paths = paths;
  }

  fade(link: LinkState, k: number, gains: Float32Array): void {
    for (let i = 0; i < k; i++) {
      this.#paths.at(link, link.position + i, this.#now);
      gains[2 * i] = this.#now[0]!;
      gains[2 * i + 1] = this.#now[1]!;
    }
  }
}
