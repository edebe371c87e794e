import type { Value } from '../../shared/tensor/gradient-graph.js';
import type { GradientOps } from '../../shared/tensor/gradient-ops.js';

/**
 * The bound of shared/codec/information-bound.ts, where it is derived, differentiable: mean over the images.
 *
 * Images come in groups that share what the encoder was told (average SNR and k), and E is over the images of a group: a
 * bound from the power of single images would reward putting all of it on a symbol that differs from image to image,
 * which saves nothing.
 *
 * @param symbols [N, K, 2], zero from symbol k on; unit average power per image over its first k
 * @param frameSnr |h|^2 / N0 of each image, linear, [N, 1]
 * @param groupSize images of a group, consecutive; divides N
 * @returns scalar, mean over the images; differentiable in the symbols
 */
export function informationBoundBits(ops: GradientOps, symbols: Value, frameSnr: Value, groupSize: number): Value {
  const [n, length] = symbols.shape as [number, number, number];
  if (n % groupSize !== 0) throw new Error(`${n} images do not make groups of ${groupSize}`);
  const power = ops.sum(ops.mul(symbols, symbols), [2]);
  const expected = ops.mean(ops.reshape(power, [n / groupSize, groupSize, length]), [1], true);
  const snr = ops.reshape(frameSnr, [n / groupSize, groupSize, 1]);
  const nats = ops.sum(ops.log1p(ops.mul(expected, snr)), [0, 1, 2]);
  return ops.scaled(nats, 1 / (Math.LN2 * n));
}
