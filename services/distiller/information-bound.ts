import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import type { Tf } from '../../shared/tensor/native.js';

/**
 * Upper bound of the information that received symbols carry of the image, bits an image: the semantic information rate.
 *
 * With y_i = h s_i + n_i, n_i ~ CN(0, N0) independent of the image X and h known to the receiver,
 *
 *   I(X; Y) = h(Y) - h(Y | X),   h(Y | X) >= h(N) = k log2(pi e N0),
 *
 * with equality when s is a function of X, as it is here; and of all distributions with the second moments of Y the
 * independent Gaussian has the largest entropy, h(Y) <= sum_i log2(pi e (|h|^2 E|s_i|^2 + N0)). Hence
 *
 *   I(X; Y) <= sum_i log2(1 + |h|^2 E|s_i|^2 / N0),
 *
 * tight for independent Gaussian symbols. E is over the images that are sent under one channel condition, so images come
 * in groups that share what the encoder was told (average SNR and k): a bound from the power of single images would
 * reward putting all of it on a symbol that differs from image to image, which saves nothing.
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
