import { type LinkRandom, Purpose } from '../../../shared/channel/link-random.js';
import type { ChannelEffect } from '../../../shared/channel/model.js';
import type { PilotSettings } from './feedback-settings.js';

/** What a receiver measures of one frame's channel. */
export interface PilotEstimate {
  /** Average Es/N0 in dB from the measured noise power. */
  readonly snrDb: number;
  /** 10 log10 of the estimated |h|^2 / N0, averaged over the frame, dB. */
  readonly instantaneousSnrDb: number;
  /** E|h_estimated - h|^2 per block. */
  readonly errorVariance: number;
  /** Estimated gains as re, im, ... per block, when the equaliser uses them; else empty. Binary32 values. */
  readonly gains: number[];
}

/** Squares that a noise estimate is summed from, at most; beyond, their sum is as good as its approximation. */
const mostSquares = 32;

/**
 * The least-squares estimate from P pilots of power p (over a data symbol's) in every coherence block, without sending
 * them: its error has a closed form, so it is drawn.
 *
 * - h_estimated = h + e per block, e ~ CN(0, N0 / (P p)): the mean of P received pilots over their value.
 * - N0_estimated / N0 ~ chi^2_d / d with d = 2 B (P - 1): the pilots' power about their mean in the frame's B blocks.
 *   With P = 1 there is nothing about the mean: the receiver is taken to know N0. From 33 squares on the chi^2 is drawn
 *   by Wilson and Hilferty's cube ("The distribution of chi-square", PNAS 17, 1931), whose error is below 0.1 % there.
 * - The average SNR reported is 1 / N0_estimated (E|h|^2 = 1), the instantaneous one |h_estimated|^2 / N0_estimated,
 *   biased up by 1 / (P p) as in life.
 *
 * Drawn by the link's random numbers at the frame's position.
 * @param symbols k
 */
export function estimateFrom(
  { count, powerDb, equalise }: PilotSettings,
  { gains, blockSymbols, noisePower }: ChannelEffect,
  link: { readonly random: LinkRandom; readonly position: number },
  symbols: number,
): PilotEstimate {
  const n0 = Math.max(noisePower, leastPower);
  const blocks = gains.length / 2;
  const errorVariance = n0 / (count * 10 ** (powerDb / 10));
  const scale = Math.sqrt(errorVariance / 2);
  // A frame of k symbols has at most k blocks, so that numbers from its position on are its own.
  const errors = new Float64Array(2 * blocks);
  link.random.complexNormals(Purpose.pilotError, link.position, blocks, errors);
  const estimated = gains.map((part, i) => Math.fround(part + scale * errors[i]!));
  let power = 0;
  for (let block = 0; block < blocks; block++) {
    const length = Math.min(blockSymbols, symbols - block * blockSymbols);
    power += length * (estimated[2 * block]! ** 2 + estimated[2 * block + 1]! ** 2);
  }
  const noise = n0 * meanOfSquares(link, blocks * (count - 1));
  return {
    snrDb: -10 * Math.log10(noise),
    instantaneousSnrDb: 10 * Math.log10(Math.max(power / symbols, leastPower) / noise),
    errorVariance,
    gains: equalise ? estimated : [],
  };
}

/** So that a perfect channel, or none, stays a number of dB. */
const leastPower = 1e-9;

/** Mean of `count` independent squares |z|^2, z ~ CN(0, 1); 1 for none. */
function meanOfSquares({ random, position }: { random: LinkRandom; position: number }, count: number): number {
  if (count === 0) return 1;
  const drawn = Math.min(count, mostSquares);
  const normals = new Float64Array(2 * drawn);
  random.complexNormals(Purpose.pilotNoise, position * mostSquares, drawn, normals);
  if (count <= mostSquares) {
    let sum = 0;
    for (const part of normals) sum += part * part;
    return Math.max(sum / (2 * count), leastPower);
  }
  const ninth = 2 / (9 * 2 * count);
  return (1 - ninth + normals[0]! * Math.sqrt(ninth)) ** 3;
}
