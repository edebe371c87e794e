/** What a receiver knows of the channel of one frame. */
export interface FrameChannel {
  /** Complex gains h, one per coherence block: re, im, re, im, ... */
  gains: ArrayLike<number>;
  /** Symbols that share one gain, at least 1. */
  blockSymbols: number;
  /** N0, noise power per complex symbol. */
  noisePower: number;
}

/** Bounds of what the decoder is told of a frame's SNR, dB: a perfect channel and a dead one are still numbers. */
const FRAME_SNR_DB = { low: -90, high: 90 } as const;

/**
 * Minimum mean-square-error equaliser for symbols of unit power: z = conj(h) y / (|h|^2 + N0).
 *
 * A deep fade gives a small z rather than the amplified noise of zero forcing, so symbols of several blocks arrive
 * weighted by how much they can be trusted.
 *
 * @param received k symbols y = h s + n, interleaved re, im
 * @param out 2k numbers or more; the first 2k are written
 * @returns the frame's own SNR in dB, 10 log10 of the mean of |h|^2 / N0 over its symbols
 */
export function equalise(received: Float32Array, channel: FrameChannel, out: Float32Array): number {
  const symbols = received.length / 2;
  const { gains, blockSymbols, noisePower } = channel;
  let power = 0;
  for (let start = 0, block = 0; start < symbols; start += blockSymbols, block++) {
    const re = gains[2 * block] ?? 0;
    const im = gains[2 * block + 1] ?? 0;
    const gain = re * re + im * im;
    const end = Math.min(start + blockSymbols, symbols);
    power += gain * (end - start);
    const scale = 1 / Math.max(gain + noisePower, 1e-30);
    for (let i = start; i < end; i++) {
      const yr = received[2 * i]!;
      const yi = received[2 * i + 1]!;
      out[2 * i] = (re * yr + im * yi) * scale;
      out[2 * i + 1] = (re * yi - im * yr) * scale;
    }
  }
  const snrDb = 10 * Math.log10(power / symbols / Math.max(noisePower, 1e-30));
  return Math.min(Math.max(snrDb, FRAME_SNR_DB.low), FRAME_SNR_DB.high);
}
