import type { FrameChannel } from '../../shared/codec/equaliser.js';
import { decodeSymbols } from '../../shared/codec/symbols.js';
import type { ChannelState, SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import { invalidArgument } from '../../shared/rpc/errors.js';

/**
 * The received symbols of a frame and its channel, checked.
 *
 * @param maxChannelUses of the model that will decode it
 * @throws SemlinkError INVALID_ARGUMENT naming the field, its value and what is allowed
 */
export function receivedFrom(
  frame: SymbolFrame,
  maxChannelUses: number,
): { received: Float32Array; channel: FrameChannel; state: ChannelState } {
  const { channelUses, channel: state } = frame;
  if (channelUses < 1 || channelUses > maxChannelUses) {
    throw invalidArgument('channel_uses', channelUses, `the model takes 1 to ${maxChannelUses}`);
  }
  const received = decodeSymbols(frame);
  if (!state) throw invalidArgument('channel', undefined, 'the channel state of a received frame must be set');
  const { noisePower, gains, blockSymbols, snrDb } = state;
  if (!Number.isFinite(noisePower) || noisePower < 0) {
    throw invalidArgument('channel.noise_power', noisePower, 'use a finite number of at least 0');
  }
  if (!Number.isFinite(snrDb)) throw invalidArgument('channel.snr_db', snrDb, 'use a finite number of dB');
  if (blockSymbols < 1) throw invalidArgument('channel.block_symbols', blockSymbols, 'use at least 1');
  const blocks = Math.ceil(channelUses / blockSymbols);
  if (gains.length !== 2 * blocks || !gains.every(Number.isFinite)) {
    throw invalidArgument('channel.gains', gains, `${blocks} finite complex gains are needed, as re, im`);
  }
  return { received, channel: { gains: knownGains(state), blockSymbols, noisePower }, state };
}

/** The gains that the equaliser goes by: those that pilots show, where the frame has them, else the true ones. */
function knownGains({ gains, estimate }: ChannelState): number[] {
  if (!estimate || estimate.gains.length === 0) return gains;
  if (estimate.gains.length === gains.length && estimate.gains.every(Number.isFinite)) return estimate.gains;
  throw invalidArgument(
    'channel.estimate.gains',
    estimate.gains,
    `use as many finite numbers as gains: ${gains.length}`,
  );
}

/** What the receiver reports of the channel: what pilots show, or, as a genie, the true state. */
export function measured(
  { snrDb, estimate }: ChannelState,
  channel: FrameChannel,
  symbols: number,
): { snrDb: number; instantaneousSnrDb: number } {
  if (!estimate) return { snrDb, instantaneousSnrDb: instantaneousSnrDb(channel, symbols) };
  if (!Number.isFinite(estimate.snrDb) || !Number.isFinite(estimate.instantaneousSnrDb)) {
    throw invalidArgument(
      'channel.estimate',
      `${estimate.snrDb} dB, ${estimate.instantaneousSnrDb} dB`,
      'use finite numbers of dB',
    );
  }
  return { snrDb: estimate.snrDb, instantaneousSnrDb: estimate.instantaneousSnrDb };
}

/** 10 log10(|h|^2 / N0) averaged over a frame's symbols, dB; bounded so that a perfect channel stays a number. */
export function instantaneousSnrDb({ gains, blockSymbols, noisePower }: FrameChannel, symbols: number): number {
  let power = 0;
  for (let start = 0, block = 0; start < symbols; start += blockSymbols, block++) {
    const gain = gains[2 * block]! ** 2 + gains[2 * block + 1]! ** 2;
    power += gain * Math.min(blockSymbols, symbols - start);
  }
  return 10 * Math.log10(Math.max(power / symbols, 1e-9) / Math.max(noisePower, 1e-9));
}

/**
 * The most bits that the received symbols of one image can tell of it: the sum of log2(1 + |h|^2 / N0) over its symbols,
 * which is what Gaussian symbols of unit power would carry (README, "semantic_bits"). Bounded so that a perfect channel
 * stays a number.
 */
export function semanticBits({ gains, blockSymbols, noisePower }: FrameChannel, symbols: number): number {
  const noise = Math.max(noisePower, 1e-9);
  let bits = 0;
  for (let start = 0, block = 0; start < symbols; start += blockSymbols, block++) {
    const gain = gains[2 * block]! ** 2 + gains[2 * block + 1]! ** 2;
    bits += Math.log2(1 + gain / noise) * Math.min(blockSymbols, symbols - start);
  }
  return bits;
}
