import { addNoise } from './awgn.js';
import { Purpose } from './link-random.js';
import { type ChannelEffect, type ChannelModel, type LinkState, noisePowerOf } from './model.js';

/**
 * y = h s + n with one h ~ CN(0, 1) per coherence block, so |h| is Rayleigh with E|h|^2 = 1, and n ~ CN(0, N0).
 *
 * With `coherenceSymbols` N > 0 the air is cut into blocks of N symbols of the link, block b = floor(position / N),
 * whatever the frames are: a short frame may see one gain and share it with its neighbours, and a frame that starts
 * within a block sees the rest of it first. With 0 every frame has a gain of its own, drawn by its position.
 */
export class RayleighBlockChannel implements ChannelModel {
  readonly name = 'rayleigh-block';
  readonly snrDb: number;
  readonly coherenceSymbols: number;
  readonly #noisePower: number;
  readonly #draw = new Float64Array(2);

  /** `snrDb`: average Es/N0 in dB. `coherenceSymbols`: N, or 0 for one gain per frame. */
  constructor(snrDb: number, coherenceSymbols: number) {
    this.snrDb = snrDb;
    this.coherenceSymbols = coherenceSymbols;
    this.#noisePower = noisePowerOf(snrDb);
  }

  apply(symbols: Float32Array, link: LinkState, out: Float32Array): ChannelEffect {
    const k = symbols.length / 2;
    const { gains, blockSymbols } = this.#gains(link, k);
    for (let i = 0; i < k; i++) {
      const block = Math.floor(i / blockSymbols);
      const re = gains[2 * block]!;
      const im = gains[2 * block + 1]!;
      const sRe = symbols[2 * i]!;
      const sIm = symbols[2 * i + 1]!;
      out[2 * i] = re * sRe - im * sIm;
      out[2 * i + 1] = re * sIm + im * sRe;
    }
    addNoise(out, link, this.#noisePower, out);
    return { gains, blockSymbols, noisePower: this.#noisePower };
  }

  #gains(link: LinkState, k: number): { gains: number[]; blockSymbols: number } {
    const n = this.coherenceSymbols;
    if (n === 0) return { gains: this.#gain(link, link.position), blockSymbols: k };
    const offset = link.position % n;
    if (offset + k <= n) return { gains: this.#gain(link, Math.floor(link.position / n)), blockSymbols: k };
    // The frame crosses a border of blocks. Gains are listed at a step that fits both the border and the block; only the
    // first block can be cut at the front, and no step that fits is longer.
    const blockSymbols = greatestCommonDivisor(n, offset);
    const gains: number[] = [];
    let block = -1;
    let gain: number[] = [];
    for (let i = 0; i < k; i += blockSymbols) {
      const here = Math.floor((link.position + i) / n);
      if (here !== block) gain = this.#gain(link, here);
      block = here;
      gains.push(gain[0]!, gain[1]!);
    }
    return { gains, blockSymbols };
  }

  /** h number `index` of the link. Rounded to binary32 before it is used, so that the receiver knows exactly this h. */
  #gain(link: LinkState, index: number): number[] {
    link.random.complexNormals(Purpose.blockFading, index, 1, this.#draw);
    return [Math.fround(this.#draw[0]! * Math.SQRT1_2), Math.fround(this.#draw[1]! * Math.SQRT1_2)];
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
