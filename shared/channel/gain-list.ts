/**
 * The gains of k symbols as `ChannelEffect` lists them: one for each `blockSymbols` symbols, at the longest step that
 * fits every change.
 * @param gains 2k binary32 numbers re, im, ...
 */
export function listGains(gains: Float32Array, k: number): { gains: number[]; blockSymbols: number } {
  let step = 0;
  for (let i = 1; i < k && step !== 1; i++) {
    if (gains[2 * i] !== gains[2 * i - 2] || gains[2 * i + 1] !== gains[2 * i - 1]) step = commonDivisor(step, i);
  }
  const blockSymbols = step === 0 ? Math.max(k, 1) : step;
  const listed: number[] = [];
  for (let i = 0; i < k; i += blockSymbols) listed.push(gains[2 * i]!, gains[2 * i + 1]!);
  return { gains: listed, blockSymbols };
}

/** Greatest common divisor; of 0 and b it is b. */
export function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
