import type { FlatFading } from './fading.js';
import { Purpose } from './link-random.js';
import type { LinkState } from './model.js';
import { cosineOfTurns } from './turns.js';

/**
 * One gain per coherence block: h = sqrt(K/(K+1)) exp(j phi) + sqrt(1/(K+1)) g, g ~ CN(0, 1) for each block, phi uniform
 * and drawn once for the link; E|h|^2 = 1. |h| is Rice distributed; with K = 0, which is `rayleigh-block`, Rayleigh.
 *
 * Blocks are those of `RayleighBlockChannel`: of N symbols of the link whatever the frames are, or with N = 0 one a frame,
 * drawn by the frame's position; and g is drawn as there, so K = 0 gives its very gains.
 */
export class BlockFading implements FlatFading {
  readonly #coherenceSymbols: number;
  readonly #direct: number;
  readonly #scattered: number;

  /** `kFactor`: linear, 0 or more. */
  constructor(coherenceSymbols: number, kFactor: number) {
    this.#coherenceSymbols = coherenceSymbols;
    this.#direct = Math.sqrt(kFactor / (kFactor + 1));
    this.#scattered = Math.sqrt(1 / (kFactor + 1));
  }

  fade(link: LinkState, k: number, gains: Float32Array): void {
    const n = this.#coherenceSymbols || k;
    const framewise = this.#coherenceSymbols === 0;
    const first = framewise ? link.position : Math.floor(link.position / n);
    const offset = framewise ? 0 : link.position % n;
    const blocks = Math.ceil((offset + k) / n);
    const draws = new Float32Array(2 * blocks);
    link.random.complexNormals(Purpose.blockFading, first, blocks, draws);
    const [lineRe, lineIm] = this.#lineOfSight(link);
    const scale = this.#scattered * Math.SQRT1_2;
    for (let i = 0; i < k; i++) {
      const block = Math.floor((offset + i) / n);
      gains[2 * i] = lineRe + scale * draws[2 * block]!;
      gains[2 * i + 1] = lineIm + scale * draws[2 * block + 1]!;
    }
  }

  #lineOfSight({ random }: LinkState): [number, number] {
    if (this.#direct === 0) return [0, 0];
    random.uniforms(Purpose.lineOfSight, 0, 1, phase);
    return [this.#direct * cosineOfTurns(phase[0]!), this.#direct * cosineOfTurns(phase[0]! - 0.25)];
  }
}

const phase = new Float64Array(1);

/** `rayleigh-fast`: h ~ CN(0, 1), independent from symbol to symbol. */
export const fastFading: FlatFading = {
  fade(link, k, gains) {
    link.random.complexNormals(Purpose.fastFading, link.position, k, gains);
    for (let i = 0; i < 2 * k; i++) gains[i] = gains[i]! * Math.SQRT1_2;
  },
};
