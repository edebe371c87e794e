import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import type { Tf } from '../../shared/tensor/native.js';

/** Channel of each image of a training batch. */
export interface BatchChannel {
  /** Average Es/N0 in dB, what the encoder is told; length N. */
  averageSnrDb: Float32Array;
  /** |h|^2, 1 for AWGN, exponential with mean 1 for block Rayleigh; length N. */
  gainPower: Float32Array;
  /** N0 = 10^(-averageSnrDb / 10); length N. */
  noisePower: Float32Array;
  /** |h|^2 / N0 in dB, what the decoder is told; length N. */
  frameSnrDb: Float32Array;
  /** k, channel uses; length N. */
  channelUses: Float32Array;
}

/** What a training batch's channels are drawn from. */
export interface ChannelRange {
  snrLowDb: number;
  snrHighDb: number;
  /** Share of images that see block Rayleigh fading; the others see AWGN. */
  rayleighShare: number;
  lengths: readonly number[];
  /** Images, consecutive, that share average SNR and k; 1: each has its own. */
  groupSize: number;
}

/** @param draws 4 uniform variates an image: SNR, model, fading, length */
export function drawChannels(draws: Float32Array, range: ChannelRange): BatchChannel {
  const n = draws.length / 4;
  const channel: BatchChannel = {
    averageSnrDb: new Float32Array(n),
    gainPower: new Float32Array(n),
    noisePower: new Float32Array(n),
    frameSnrDb: new Float32Array(n),
    channelUses: new Float32Array(n),
  };
  const drawsOf = (i: number) => draws.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
  for (let i = 0; i < n; i++) {
    const [snr, , , length] = drawsOf(i - (i % range.groupSize));
    const [, model, fading] = drawsOf(i);
    const snrDb = range.snrLowDb + snr * (range.snrHighDb - range.snrLowDb);
    const gain = model < range.rayleighShare ? -Math.log(1 - fading) : 1;
    channel.averageSnrDb[i] = snrDb;
    channel.gainPower[i] = gain;
    channel.noisePower[i] = 10 ** (-snrDb / 10);
    channel.frameSnrDb[i] = snrDb + 10 * Math.log10(Math.max(gain, 1e-9));
    channel.channelUses[i] = range.lengths[Math.floor(length * range.lengths.length)]!;
  }
  return channel;
}

/**
 * The air and the equaliser of equaliser.ts together, differentiable in the symbols.
 *
 * With y = h s + n, the equaliser's z = conj(h) y / (|h|^2 + N0) has the same distribution as
 * (|h|^2 s + |h| n) / (|h|^2 + N0), since conj(h)/|h| only turns circular noise: the phase of h need not be drawn.
 *
 * @param symbols [N, k, 2]
 * @param noise [N, k, 2], standard normal
 * @returns [N, k, 2]
 */
export function throughTheAir(tf: Tf, symbols: Tensor, channel: BatchChannel, noise: Tensor): Tensor {
  const n = channel.gainPower.length;
  const signal = new Float32Array(n);
  const disturbance = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const gain = channel.gainPower[i]!;
    const total = gain + channel.noisePower[i]!;
    signal[i] = gain / total;
    disturbance[i] = Math.sqrt((gain * channel.noisePower[i]!) / 2) / total;
  }
  const each = (values: Float32Array) => tf.tensor3d(values, [n, 1, 1]);
  // Symbols from k on are not sent, so nothing is received there either.
  const sent = tf.less(tf.range(0, symbols.shape[1]!).reshape([1, -1, 1]), each(channel.channelUses));
  const received = tf.mul(tf.mul(noise, each(disturbance)), tf.cast(sent, 'float32'));
  return tf.add(tf.mul(symbols, each(signal)), received);
}
