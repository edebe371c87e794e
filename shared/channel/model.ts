import type { LinkRandom } from './link-random.js';

/** Where a link stands: with the link's random numbers it is all the state a channel has. */
export interface LinkState {
  readonly random: LinkRandom;
  /** Symbols the link has carried before these, 0 to 2^53. */
  readonly position: number;
}

/** What the air did to a frame, as a receiver with perfect pilots knows it. */
export interface ChannelEffect {
  /** Complex gains h as re, im, ...: one per `blockSymbols` symbols, the last block may be shorter. Binary32 values. */
  readonly gains: number[];
  readonly blockSymbols: number;
  /** N0, noise power per complex symbol (linear), a binary32 value; sigma^2 = N0/2 per real dimension. */
  readonly noisePower: number;
  /** Average Es/N0 in dB of this frame where it is not the model's: frames of a recording have their own. */
  readonly snrDb?: number;
  /** True: the frame was lost on the air and must not be handed on; its symbols and gains are 0. */
  readonly erased?: boolean;
}

/**
 * A channel: y_i = h_i s_i + n_i with n_i ~ CN(0, N0), N0 = 10^(-SNR_dB/10) and E|h|^2 = 1, where SNR is the average
 * Es/N0 of symbols with unit average power. A model keeps no state: what it does to a symbol follows from the link's
 * random numbers and the symbol's position in the link, however symbols are grouped into frames and calls.
 */
export interface ChannelModel {
  /** As in `ChannelState.model`: awgn, rayleigh-block, ... */
  readonly name: string;
  /** Average Es/N0 in dB. */
  readonly snrDb: number;
  /**
   * Sends k symbols.
   * @param symbols 2k numbers re, im, ...
   * @param out 2k numbers: the received symbols; may be `symbols` itself
   */
  apply(symbols: Float32Array, link: LinkState, out: Float32Array): ChannelEffect;
}

/**
 * N0 for an average Es/N0 in dB, as the binary32 that `ChannelState` carries: the rounding also takes away the last bits
 * in which engines differ.
 */
export function noisePowerOf(snrDb: number): number {
  return Math.fround(10 ** (-snrDb / 10));
}

let scratch = new Float64Array(256);

/** Room for `length` numbers, shared by the models: none of them gives way to another while it uses it. */
export function scratchNumbers(length: number): Float64Array {
  if (scratch.length < length) scratch = new Float64Array(2 * length);
  return scratch;
}
