/** How the power of an image's symbols is limited. */
export const powerConstraints = ['average', 'peak'] as const;

/**
 * `average`: unit average power an image, SNR = Es/N0; what models are trained and served for.
 *
 * `peak`: |re|, |im| <= 1 in every symbol, noise of variance sigma^2 in each real dimension, peak SNR = 1/sigma^2; there to
 * compare with papers that use it. The encoder's symbols s, of mean square 1/2 a real dimension, are driven to the limit:
 * x = clip(sqrt(2) s, -1, 1), and y = x + n. In the unit of s the receiver has y / sqrt(2) = clip(s, -1/sqrt(2), 1/sqrt(2)) +
 * CN(0, N0) with N0 = 2 sigma^2 / 2 = 1 / PSNR. So the channel runs, and encoder and decoder are told, an SNR that is the
 * peak SNR in number, and what the limiter cuts off is the model's loss. The drive is the same for every image, so that
 * the receiver needs no word of it (a factor fitted to each image's own peak would be side information, and costs more:
 * a peak of 1.4 to 2.2 where the limit is 0.7). Over fading, the SNR is that of E|h|^2 = 1.
 */
export type PowerConstraint = (typeof powerConstraints)[number];

/** The limit of a real component in the unit of unit average power. */
export const PEAK_LIMIT = Math.SQRT1_2;

/** Symbols after the limiter, in the unit of unit average power. */
export function limitPeak(symbols: Float32Array): Float32Array {
  return symbols.map((x) => Math.min(Math.max(x, -PEAK_LIMIT), PEAK_LIMIT));
}
