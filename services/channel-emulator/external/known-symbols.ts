import { noisePowerOf } from '../../../shared/channel/model.js';

/**
 * Symbols that both ends know: QPSK of unit power with the bits of the maximal-length sequence x^16 + x^14 + x^13 +
 * x^11 + 1 (a Fibonacci register that starts with 1), two bits a symbol. The same ones every time.
 *
 * @returns 2 * count numbers re, im, ...
 */
export function knownSymbols(count: number): Float32Array {
  const out = new Float32Array(2 * count);
  let register = 1;
  for (let i = 0; i < out.length; i++) {
    const bit = (register ^ (register >> 2) ^ (register >> 3) ^ (register >> 5)) & 1;
    register = (register >> 1) | (bit << 15);
    out[i] = bit === 1 ? Math.SQRT1_2 : -Math.SQRT1_2;
  }
  return out;
}

/** The channel as pilots show it. */
export interface Estimate {
  /** Gain h, binary32 parts. */
  gain: [number, number];
  /** N0, a binary32 value. */
  noisePower: number;
}

/**
 * Least squares: h = sum y conj(p) / sum |p|^2, N0 = sum |y - h p|^2 / (P - 1), unbiased when one gain holds for all
 * pilots; the variance of h is N0 / P.
 *
 * @param sent P known symbols of unit power, 2P numbers
 * @param received what became of them
 * @param declaredSnrDb gives N0 when there is one pilot
 */
export function estimateChannel(sent: Float32Array, received: Float32Array, declaredSnrDb: number): Estimate {
  const pilots = sent.length / 2;
  const { re, im, power } = correlate(sent, received, 0, pilots);
  const gain: [number, number] = [Math.fround(re / power), Math.fround(im / power)];
  if (pilots < 2) return { gain, noisePower: noisePowerOf(declaredSnrDb) };
  let rest = 0;
  for (let i = 0; i < sent.length; i += 2) {
    const p = sent[i]!;
    const q = sent[i + 1]!;
    rest += (received[i]! - gain[0] * p + gain[1] * q) ** 2 + (received[i + 1]! - gain[0] * q - gain[1] * p) ** 2;
  }
  return { gain, noisePower: Math.fround(rest / (pilots - 1)) };
}

/**
 * By how many symbols what came back lags behind n known symbols: 0 to `most`, or undefined when noise or fading hide
 * it. A lag is believed when its normalised correlation |sum y conj(p)|^2 / (sum |p|^2 sum |y|^2), about 1/n for noise
 * alone, is over 16/n and twice that of every lag but the nearest (a channel with memory smears it).
 *
 * @param received 2 (n + most) numbers or more; lags that they do not reach are left out
 */
export function lagOf(sent: Float32Array, received: Float32Array, most: number): number | undefined {
  const symbols = sent.length / 2;
  const likeness: number[] = [];
  for (let lag = 0; lag <= most && lag + symbols <= received.length / 2; lag++) {
    const { re, im, power, receivedPower } = correlate(sent, received, lag, symbols);
    likeness.push(receivedPower > 0 ? (re * re + im * im) / (power * receivedPower) : 0);
  }
  let best = 0;
  for (let lag = 1; lag < likeness.length; lag++) if (likeness[lag]! > likeness[best]!) best = lag;
  const clear = likeness.every((value, lag) => Math.abs(lag - best) <= 4 || value * 2 < likeness[best]!);
  return likeness[best]! > 16 / symbols && clear ? best : undefined;
}

function correlate(sent: Float32Array, received: Float32Array, lag: number, count: number) {
  let re = 0;
  let im = 0;
  let power = 0;
  let receivedPower = 0;
  for (let i = 0; i < 2 * count; i += 2) {
    const p = sent[i]!;
    const q = sent[i + 1]!;
    const y = received[i + 2 * lag]!;
    const z = received[i + 1 + 2 * lag]!;
    re += y * p + z * q;
    im += z * p - y * q;
    power += p * p + q * q;
    receivedPower += y * y + z * z;
  }
  return { re, im, power, receivedPower };
}
