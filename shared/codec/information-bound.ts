import type { ChannelEffect } from '../channel/model.js';

/**
 * Upper bound of the information that received symbols carry of the image, bits an image: the semantic information rate.
 *
 * With y_i = h_i s_i + n_i, n_i ~ CN(0, N0) independent of the image X and h known to the receiver,
 *
 *   I(X; Y) = h(Y) - h(Y | X),   h(Y | X) >= h(N) = k log2(pi e N0),
 *
 * with equality when s is a function of X, as it is here; and of all distributions with the second moments of Y the
 * independent Gaussian has the largest entropy, h(Y) <= sum_i log2(pi e (|h_i|^2 E|s_i|^2 + N0)). Hence
 *
 *   I(X; Y) <= sum_i log2(1 + |h_i|^2 E|s_i|^2 / N0),
 *
 * tight for independent Gaussian symbols. E is over the images that are sent under one channel condition.
 *
 * @param power E|s_i|^2 of each of the k symbols
 * @param snr |h_i|^2 / N0 of symbol i, linear
 */
export function boundBits(power: ArrayLike<number>, snr: (symbol: number) => number): number {
  let nats = 0;
  for (let i = 0; i < power.length; i++) nats += Math.log1p(power[i]! * snr(i));
  return nats / Math.LN2;
}

/** Gathers what the bound needs while images are sent under one channel condition, and gives its mean over their fades. */
export class InformationBound {
  readonly #power: Float64Array;
  /** |h|^2 / N0 of each block of each image, one image after the other: flat, for there are millions. */
  readonly #snr: number[] = [];
  /** How many blocks an image has, and how many symbols share one. */
  readonly #blocks: number[] = [];
  readonly #blockSymbols: number[] = [];

  /** @param channelUses k */
  constructor(channelUses: number) {
    this.#power = new Float64Array(channelUses);
  }

  /**
   * One image.
   * @param sent its k symbols, re, im, ...
   */
  add(sent: Float32Array, { gains, blockSymbols, noisePower }: ChannelEffect): void {
    for (let i = 0; i < this.#power.length; i++) this.#power[i]! += sent[2 * i]! ** 2 + sent[2 * i + 1]! ** 2;
    for (let i = 0; i < gains.length; i += 2) this.#snr.push((gains[i]! ** 2 + gains[i + 1]! ** 2) / noisePower);
    this.#blocks.push(gains.length / 2);
    this.#blockSymbols.push(blockSymbols);
  }

  /**
   * Channel uses that carry the message: the least number of symbols that hold `share` of the mean energy. What the
   * others hold is lost where they are not sent.
   *
   * @param share above 0, below 1
   */
  occupied(share = 0.99): number {
    const falling = this.#power.toSorted((a, b) => b - a);
    let left = share * falling.reduce((a, b) => a + b, 0);
    const count = falling.findIndex((power) => {
      left -= power;
      return left <= 0;
    });
    return count < 0 ? falling.length : count + 1;
  }

  /** Bits an image, the mean over the images added. */
  bits(): number {
    const images = this.#blocks.length;
    const expected = this.#power.map((sum) => sum / images);
    let total = 0;
    let first = 0;
    for (let image = 0; image < images; image++) {
      const blockSymbols = this.#blockSymbols[image]!;
      total += boundBits(expected, (i) => this.#snr[first + Math.floor(i / blockSymbols)]!);
      first += this.#blocks[image]!;
    }
    return total / images;
  }
}
