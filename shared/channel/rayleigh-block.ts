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
  readonly #one = new Float32Array(2);

  /** `snrDb`: average Es/N0 in dB. `coherenceSymbols`: N, or 0 for one gain per frame. */
  constructor(snrDb: number, coherenceSymbols: number) {
    this.snrDb = snrDb;
    this.coherenceSymbols = coherenceSymbols;
    this.#noisePower = noisePowerOf(snrDb);
  }

  apply(symbols: Float32Array, link: LinkState, out: Float32Array): ChannelEffect {
    const k = symbols.length / 2;
    const { position } = link;
    const n = this.coherenceSymbols;
    const offset = n === 0 ? 0 : position % n;
    const first = n === 0 ? k : Math.min(k, n - offset);
    const later = n === 0 ? 0 : Math.ceil((k - first) / n);
    const gains = this.#draw(link, n === 0 ? position : Math.floor(position / n), 1 + later);
    const blocks = { gains, first, block: n === 0 ? k : n };
    link.random.fadeBlocks(symbols, out, blocks, Purpose.noise, position, Math.sqrt(this.#noisePower / 2));
    return effectOf(gains, k, first, n, this.#noisePower);
  }

  /** h number `index` and those after it. Rounded to binary32 before use, so that the receiver knows exactly these. */
  #draw(link: LinkState, index: number, count: number): number[] {
    if (count === 1) {
      const one = this.#one;
      link.random.complexNormals(Purpose.blockFading, index, 1, one);
      return [Math.fround(one[0]! * Math.SQRT1_2), Math.fround(one[1]! * Math.SQRT1_2)];
    }
    const draws = new Float32Array(2 * count);
    link.random.complexNormals(Purpose.blockFading, index, count, draws);
    const gains: number[] = [];
    for (let i = 0; i < 2 * count; i++) gains.push(Math.fround(draws[i]! * Math.SQRT1_2));
    return gains;
  }
}

/**
 * Gains as `ChannelEffect` lists them. Where the first block is cut at the front and others follow, they are listed at
 * the longest step that fits its border and the block.
 */
function effectOf(gains: number[], k: number, first: number, n: number, noisePower: number): ChannelEffect {
  if (gains.length === 2) return { gains, blockSymbols: k, noisePower };
  if (first === n) return { gains, blockSymbols: n, noisePower };
  const step = greatestCommonDivisor(n, first);
  const all: number[] = [];
  for (let i = 0; i < k; i += step) {
    const block = i < first ? 0 : 1 + Math.floor((i - first) / n);
    all.push(gains[2 * block]!, gains[2 * block + 1]!);
  }
  return { gains: all, blockSymbols: step, noisePower };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
