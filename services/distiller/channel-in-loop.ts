import type { Value } from '../../shared/tensor/gradient-graph.js';
import type { GradientOps } from '../../shared/tensor/gradient-ops.js';

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

/** Factors of the air and the equaliser together, length N: received = signal * symbol + disturbance * noise. */
export interface AirFactors {
  signal: Float32Array;
  disturbance: Float32Array;
}

/**
 * The air and the equaliser of equaliser.ts together.
 *
 * With y = h s + n, the equaliser's z = conj(h) y / (|h|^2 + N0) has the same distribution as
 * (|h|^2 s + |h| n) / (|h|^2 + N0), since conj(h)/|h| only turns circular noise: the phase of h need not be drawn.
 */
export function airFactors({ gainPower, noisePower }: BatchChannel): AirFactors {
  const n = gainPower.length;
  const signal = new Float32Array(n);
  const disturbance = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const gain = gainPower[i]!;
    const total = gain + noisePower[i]!;
    signal[i] = gain / total;
    disturbance[i] = Math.sqrt((gain * noisePower[i]!) / 2) / total;
  }
  return { signal, disturbance };
}

/**
 * What the decoder gets of some symbols, differentiable in them.
 *
 * @param symbols [N, K, 2]
 * @param air the factors of each image, [N, 1]
 * @param k channel uses [N, 1]
 * @param noise [N, K, 2], standard normal
 * @returns [N, K, 2], zero from symbol k on: where nothing is sent, nothing is received
 */
export function throughTheAir(
  ops: GradientOps,
  symbols: Value,
  air: { signal: Value; disturbance: Value },
  k: Value,
  noise: Value,
): Value {
  const [n, length] = symbols.shape as [number, number, number];
  const each = (values: Value) => ops.reshape(values, [n, 1, 1]);
  const sent = ops.reshape(ops.prefixMask(k, length), [n, length, 1]);
  const received = ops.mul(noise, ops.mul(each(air.disturbance), sent));
  return ops.add(ops.mul(symbols, each(air.signal)), received);
}
