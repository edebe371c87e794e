/**
 * Cosine and sine from a table, by additions and products alone: IEEE 754 fixes their every bit on every machine, while
 * Math.cos and Math.sin may differ between engines.
 *
 * Angles are counted in turns (1 turn = 2 pi), and where they go on for long as whole numbers of 2^-48 turns: their sums
 * and differences are exact, so a phase is the same however one arrives at it.
 */

/** Entries of the tables: one a 4096th of a turn. */
const entries = 4096;
export const cosines = new Float64Array(entries);
export const sines = new Float64Array(entries);
/** Radians from one entry to the next. */
export const entryRadians = (2 * Math.PI) / entries;

/** Units of an exact phase in one turn. */
export const unitsPerTurn = 2 ** 48;
/** Entries of the tables per unit. */
export const entriesPerUnit = entries / unitsPerTurn;
const half = 2 ** 24;

for (let i = 0; i < entries; i++) {
  const quarter = Math.floor(i / (entries / 4));
  const within = i % (entries / 4);
  const swap = within > entries / 8;
  const x = (swap ? entries / 4 - within : within) * entryRadians;
  const [c, s] = swap ? [sineOf(x), cosineOf(x)] : [cosineOf(x), sineOf(x)];
  // + 0: no -0.
  cosines[i] = [c, -s, -c, s][quarter]! + 0;
  sines[i] = [s, c, -s, -c][quarter]! + 0;
}

/** Sine of 0 to pi/4 radians, by its series. */
function sineOf(x: number): number {
  let sum = 0;
  for (let n = 17; n >= 3; n -= 2) sum = ((sum + 1) * -x * x) / (n * (n - 1));
  return x * (1 + sum);
}

/** Cosine of 0 to pi/4 radians, by its series. */
function cosineOf(x: number): number {
  let sum = 0;
  for (let n = 18; n >= 2; n -= 2) sum = ((sum + 1) * -x * x) / (n * (n - 1));
  return 1 + sum;
}

/** Cosine of an angle in turns, of any size; error below 1e-9. */
export function cosineOfTurns(turns: number): number {
  const x = (turns - Math.floor(turns)) * entries;
  const entry = Math.floor(x) % entries;
  const d = (x - Math.floor(x)) * entryRadians;
  return cosines[entry]! - d * (sines[entry]! + 0.5 * d * cosines[entry]!);
}

/** Sine of an angle in turns, of any size; error below 1e-9. */
export function sineOfTurns(turns: number): number {
  return cosineOfTurns(turns - 0.25);
}

/** Units of an angle in turns, 0 to 2^48 - 1, rounded. */
export function unitsOf(turns: number): number {
  return Math.round((turns - Math.floor(turns)) * unitsPerTurn) % unitsPerTurn;
}

/** units * count modulo one turn, exactly. `units`: 0 to 2^48 - 1. `count`: 0 to 2^53. */
export function unitsTimes(units: number, count: number): number {
  const many = wrap(count, unitsPerTurn);
  const manyHigh = Math.floor(many / half);
  const manyLow = many - manyHigh * half;
  const high = Math.floor(units / half);
  const low = units - high * half;
  return wrap(wrap(manyHigh * low + manyLow * high, half) * half + manyLow * low, unitsPerTurn);
}

/** x modulo a power of two, for x of 0 to 2^53: exact, and many times faster than %. */
function wrap(x: number, modulus: number): number {
  return x - Math.floor(x / modulus) * modulus;
}
