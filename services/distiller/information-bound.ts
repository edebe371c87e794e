import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import type { Tf } from '../../shared/tensor/native.js';

/**
 * The bound of shared/codec/information-bound.ts, where it is derived, differentiable: mean over the images.
 *
 * Images come in groups that share what the encoder was told (average SNR and k), and E is over the images of a group: a
 * bound from the power of single images would reward putting all of it on a symbol that differs from image to image,
 * which saves nothing.
 *
 * @param symbols [N, K, 2], zero from symbol k on; unit average power per image over its first k
 * @param frameSnr |h|^2 / N0 of each image, linear, length N
 * @param groupSize images of a group, consecutive; divides N
 * @returns scalar, mean over the images; differentiable in the symbols
 */
export function informationBoundBits(tf: Tf, symbols: Tensor, frameSnr: Float32Array, groupSize: number): Tensor {
  const [n, length] = symbols.shape as [number, number, number];
  if (n % groupSize !== 0) throw new Error(`${n} images do not make groups of ${groupSize}`);
  const power = tf.sum(tf.square(symbols), 2).reshape([n / groupSize, groupSize, length]);
  const expected = tf.mean(power, 1, true);
  const snr = tf.tensor3d(frameSnr, [n / groupSize, groupSize, 1]);
  const bits = tf.mul(tf.log1p(tf.mul(expected, snr)), 1 / Math.LN2);
  return tf.div(tf.sum(bits), n);
}
