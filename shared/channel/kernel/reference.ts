/**
 * The random numbers of the channel in plain TypeScript: the reference for, and bit by bit equal to, the WebAssembly of
 * `assembly/kernel.ts`, and what runs where WebAssembly SIMD does not.
 *
 * Words: ChaCha8 with a 256-bit key, so any number can be drawn without those before it. Four consecutive blocks make a
 * group of 32 complex numbers, in an order that suits four lanes: complex number n of a purpose is number i = n mod 32 of
 * group g = floor(n / 32) and takes words 2j and 2j + 1, j = floor(i / 4), of block 4g + i mod 4.
 *
 * Normals: Box and Muller (Ann. Math. Stat. 29, 1958), z = r (cos a, sin a). r = sqrt(-2 ln u) with u = (upper 31 bits of
 * the first word + 1/2) / 2^31: reaches 6.66 standard deviations. a from the second word: its lower 31 bits give an angle
 * of -90 to 90 degrees, its sign bit turns by 180. Logarithm, sine and cosine are polynomials in binary32; every
 * operation is a binary32 addition, product, square root or conversion that IEEE 754 fixes to the last bit, never a fused
 * one, so all machines agree. Where r > 0.14 a component differs by less than 2e-6 from what exact functions of the same
 * words give; below, by less than 1e-7 in r^2 (so that fades deeper than 70 dB are of a grid).
 */

import { chacha8 } from './chacha8.js';

const f = Math.fround;
const groupNumbers = 32;
const ln2 = f(0.6931471824645996);
const half = 0x3f3504f3;
/** Words 0 to 15 of the four blocks in turn. */
const words = new Int32Array(64);
const part = new Float32Array(2 * groupNumbers);
const float = new Float32Array(1);
const bitsOfFloat = new Int32Array(float.buffer);

/** sqrt(-2 scale^2 ln u) with u from the upper 31 bits of the word; `power` is -2 scale^2 in binary32. */
function magnitude(word: number, power: number): number {
  float[0] = f(f(word >>> 1) + 0.5);
  const bits = (bitsOfFloat[0]! - (31 << 23)) | 0;
  const exponent = ((bits - half) | 0) >> 23;
  bitsOfFloat[0] = bits - (exponent << 23);
  const x = f(float[0]! - 1);
  let p = f(f(f(-0.10188586264848709) * x) + f(0.15984095633029938));
  p = f(f(p * x) + f(-0.17132386565208435));
  p = f(f(p * x) + f(0.19929057359695435));
  p = f(f(p * x) + f(-0.24982450902462006));
  p = f(f(p * x) + f(0.333341121673584));
  p = f(f(p * x) + f(-0.5000008940696716));
  const logarithm = f(f(f(exponent) * ln2) + f(x + f(f(x * x) * p)));
  return f(Math.sqrt(f(logarithm * power)));
}

/** The complex number of two words, scaled, to out[at] and out[at + 1], or added to what is there. */
function pair(first: number, second: number, power: number, out: Float32Array, at: number, adding: boolean): void {
  const size = magnitude(first, power);
  const r = second < 0 ? -size : size;
  const s = f(f(second << 1) * f(4.656612873077393e-10));
  const z = f(s * s);
  let sine = f(f(f(0.00015167170204222202) * z) + f(-0.004674143623560667));
  sine = f(f(sine * z) + f(0.07968991994857788));
  sine = f(f(sine * z) + f(-0.6459637880325317));
  sine = f(f(sine * z) + f(1.5707963705062866));
  let cosine = f(f(f(0.0008581344736739993) * z) + f(-0.02081051468849182));
  cosine = f(f(cosine * z) + f(0.2536506652832031));
  cosine = f(f(cosine * z) + f(-1.2336982488632202));
  cosine = f(f(cosine * z) + f(0.9999999403953552));
  const re = f(r * cosine);
  const im = f(r * f(s * sine));
  out[at] = adding ? f(out[at]! + re) : re;
  out[at + 1] = adding ? f(out[at + 1]! + im) : im;
}

/** The complex number that two words give, for tests of accuracy: N(0, 1) parts. */
export function normalPair(first: number, second: number): [number, number] {
  pair(first | 0, second | 0, -2, part, 0, false);
  return [part[0]!, part[1]!];
}

function group(
  key: Int32Array,
  number: number,
  purpose: number,
  power: number,
  out: Float32Array,
  at: number,
  adding: boolean,
): void {
  for (let lane = 0; lane < 4; lane++) chacha8(key, 4 * number + lane, purpose, 16 * lane, words);
  for (let i = 0; i < groupNumbers; i++) {
    const word = 16 * (i & 3) + 2 * (i >> 2);
    pair(words[word]!, words[word + 1]!, power, out, at + 2 * i, adding);
  }
}

/** out = scale z, or out += scale z, for the complex numbers of a purpose from `index` (0 to 2^53) on; E|z|^2 = 2. */
export function fillNormals(
  out: Float32Array,
  key: Int32Array,
  purpose: number,
  index: number,
  scale: number,
  adding: boolean,
): void {
  const power = f(f(-2 * f(scale)) * f(scale));
  let offset = index % groupNumbers;
  let number = Math.floor(index / groupNumbers);
  for (let at = 0; at < out.length; number++) {
    const used = Math.min(2 * (groupNumbers - offset), out.length - at);
    if (used === 2 * groupNumbers) {
      group(key, number, purpose, power, out, at, adding);
    } else {
      group(key, number, purpose, power, part, 0, false);
      for (let i = 0; i < used; i++) {
        const one = part[2 * offset + i]!;
        out[at + i] = adding ? f(out[at + i]! + one) : one;
      }
    }
    at += used;
    offset = 0;
  }
}

/** out[i] = (re, im) symbols[i] for symbols `at` to `end - 1`. */
export function multiplyOne(
  symbols: Float32Array,
  out: Float32Array,
  at: number,
  end: number,
  re: number,
  im: number,
): void {
  for (let i = 2 * at; i < 2 * end; i += 2) {
    const a = symbols[i]!;
    const b = symbols[i + 1]!;
    out[i] = f(f(a * re) - f(b * im));
    out[i + 1] = f(f(b * re) + f(a * im));
  }
}

/** out[i] = gains[i] symbols[i]. */
export function multiplySome(symbols: Float32Array, out: Float32Array, gains: Float32Array): void {
  for (let i = 0; i < symbols.length; i += 2) multiplyOne(symbols, out, i / 2, i / 2 + 1, gains[i]!, gains[i + 1]!);
}
