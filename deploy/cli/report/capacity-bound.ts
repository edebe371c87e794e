/**
 * Most accuracy that any system could have: the answer to one of M equally likely classes, from k uses of a channel.
 *
 * What is received cannot tell more of the class than the channel carries, I <= k log2(1 + SNR), and an answer that is
 * right with probability A takes R = log2 M - H2(1 - A) - (1 - A) log2(M - 1) bits (the rate-distortion function of a
 * uniform source under Hamming distortion; Cover and Thomas, 10.3), so that A is bounded at any length, k = 1 too.
 *
 * @param bits received of an image
 * @returns 1/M to 1
 */
export function bestAccuracy(bits: number, classes: number): number {
  if (bits >= Math.log2(classes)) return 1;
  let low = 1 / classes;
  let high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (rateOf(middle, classes) < bits) low = middle;
    else high = middle;
  }
  return low;
}

function rateOf(accuracy: number, classes: number): number {
  const d = 1 - accuracy;
  const entropy = d <= 0 || d >= 1 ? 0 : -d * Math.log2(d) - accuracy * Math.log2(accuracy);
  return Math.log2(classes) - entropy - d * Math.log2(classes - 1);
}

/** Mean of f(g) over g = |h|^2 ~ Exp(1), block Rayleigh fading: midpoints of equal probability. */
export function meanOverRayleigh(f: (gain: number) => number, steps = 2000): number {
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += f(-Math.log1p(-(i + 0.5) / steps));
  return sum / steps;
}

/**
 * The bound at a point. Over block Rayleigh it is the mean over fading of the bound at each fade (one fade an image, which
 * only the receiver knows): a code within an image cannot average over fades that the image does not see.
 */
export function capacityBound(channel: string, snrDb: number, k: number, classes: number): number {
  const snr = 10 ** (snrDb / 10);
  const at = (gain: number) => bestAccuracy(k * Math.log2(1 + gain * snr), classes);
  return channel === 'awgn' ? at(1) : meanOverRayleigh(at);
}
