import { Purpose } from './link-random.js';
import { type ChannelEffect, type ChannelModel, type LinkState, noisePowerOf } from './model.js';

/** y = s + n, n ~ CN(0, N0): noise alone. Noise number i of the link belongs to symbol i of the link. */
export class AwgnChannel implements ChannelModel {
  readonly name = 'awgn';
  readonly snrDb: number;
  readonly #noisePower: number;

  /** `snrDb`: average Es/N0 in dB. */
  constructor(snrDb: number) {
    this.snrDb = snrDb;
    this.#noisePower = noisePowerOf(snrDb);
  }

  apply(symbols: Float32Array, link: LinkState, out: Float32Array): ChannelEffect {
    addNoise(symbols, link, this.#noisePower, out);
    return { gains: [1, 0], blockSymbols: symbols.length / 2, noisePower: this.#noisePower };
  }
}

/** Adds the link's noise at its position: out = symbols + n, n ~ CN(0, noisePower). `out` may be `symbols`. */
export function addNoise(symbols: Float32Array, link: LinkState, noisePower: number, out: Float32Array): void {
  link.random.addComplexNormals(symbols, out, Purpose.noise, link.position, Math.sqrt(noisePower / 2));
}
