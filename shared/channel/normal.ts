/**
 * A normal number from a random word by the inverse of the normal distribution: Wichura, "Algorithm AS 241", Applied
 * Statistics 37 (1988), relative error 1e-16. Only additions, products, quotients and square roots are used: IEEE 754
 * fixes their every bit, while Math.log, Math.sin and Math.pow may differ between engines and their versions.
 */

const twoTo32 = 4294967296;

/**
 * The x with P(N(0, 1) <= x) = (word + 1/2) / 2^32. `word`: unsigned 32 bit. Odd: f(2^32 - 1 - word) = -f(word).
 * Reaches 6.3 standard deviations.
 */
export function normalFromWord(word: number): number {
  // Exact: 33 bits.
  const q = (word + 0.5) / twoTo32 - 0.5;
  if (q >= -0.425 && q <= 0.425) return q * centre(0.180625 - q * q);
  const tail = q < 0 ? word + 0.5 : twoTo32 - 0.5 - word;
  const x = far(Math.sqrt(-logOfFraction(tail)) - 1.6);
  return q < 0 ? -x : x;
}

function centre(r: number): number {
  const above =
    ((((((2509.0809287301227 * r + 33430.57558358813) * r + 67265.7709270087) * r + 45921.95393154987) * r +
      13731.69376550946) *
      r +
      1971.5909503065513) *
      r +
      133.14166789178438) *
      r +
    3.3871328727963665;
  const below =
    ((((((5226.495278852854 * r + 28729.085735721943) * r + 39307.89580009271) * r + 21213.794301586597) * r +
      5394.196021424751) *
      r +
      687.1870074920579) *
      r +
      42.31333070160091) *
      r +
    1;
  return above / below;
}

/** Good for probabilities down to e^-25; the least one here is 2^-33. */
function far(r: number): number {
  const above =
    ((((((0.0007745450142783414 * r + 0.022723844989269184) * r + 0.2417807251774506) * r + 1.2704582524523684) * r +
      3.6478483247632045) *
      r +
      5.769497221460691) *
      r +
      4.630337846156546) *
      r +
    1.4234371107496835;
  const below =
    ((((((1.0507500716444169e-9 * r + 0.0005475938084995345) * r + 0.015198666563616457) * r + 0.14810397642748008) *
      r +
      0.6897673349851) *
      r +
      1.6763848301838038) *
      r +
      2.053191626637759) *
      r +
    1;
  return above / below;
}

/** 2^0 to 2^31, by doubling: exact, which the standard does not promise of Math.pow. */
const powersOfTwo = new Float64Array(32);
for (let i = 0, power = 1; i < 32; i++, power *= 2) powersOfTwo[i] = power;

/** Natural logarithm of x / 2^32 for x in [1/2, 2^32), by the series of the inverse hyperbolic tangent. */
function logOfFraction(x: number): number {
  const exponent = x < 1 ? -1 : 31 - Math.clz32(x);
  let mantissa = x < 1 ? 2 * x : x / powersOfTwo[exponent]!;
  let power = exponent - 32;
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    power++;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  let sum = 1 / 21;
  for (let odd = 19; odd >= 1; odd -= 2) sum = sum * z + 1 / odd;
  return power * Math.LN2 + 2 * s * sum;
}
