/**
 * The hot loops of the channel in WebAssembly SIMD (AssemblyScript). `../reference.ts` is the same in plain TypeScript
 * and gives the same bits: what the numbers are is told there. Everything here works on four lanes of 32 bits.
 *
 * Memory: words 0 to 15 of a group's four blocks, one vector a word (`WORDS`), then 32 complex numbers of a group that
 * is used in part (`PART`), then what the caller lays out for itself (`kernel.ts`). Pointers are in bytes.
 */

const WORDS: usize = 0;
const PART: usize = 256;
/** Complex numbers of four blocks. */
const GROUP: u32 = 32;

let key0: v128 = i32x4.splat(0);
let key1: v128 = i32x4.splat(0);
let key2: v128 = i32x4.splat(0);
let key3: v128 = i32x4.splat(0);
let key4: v128 = i32x4.splat(0);
let key5: v128 = i32x4.splat(0);
let key6: v128 = i32x4.splat(0);
let key7: v128 = i32x4.splat(0);

/** Sets the key, eight words, for the calls that follow. */
export function setKey(k0: i32, k1: i32, k2: i32, k3: i32, k4: i32, k5: i32, k6: i32, k7: i32): void {
  key0 = i32x4.splat(k0);
  key1 = i32x4.splat(k1);
  key2 = i32x4.splat(k2);
  key3 = i32x4.splat(k3);
  key4 = i32x4.splat(k4);
  key5 = i32x4.splat(k5);
  key6 = i32x4.splat(k6);
  key7 = i32x4.splat(k7);
}

@inline function rotate16(x: v128): v128 {
  return v128.or(i32x4.shl(x, 16), i32x4.shr_u(x, 16));
}
@inline function rotate12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}
@inline function rotate8(x: v128): v128 {
  return v128.or(i32x4.shl(x, 8), i32x4.shr_u(x, 24));
}
@inline function rotate7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}

/** ChaCha8 of the four blocks of a group: lane l of vector w at WORDS is word w of block 4 * group + l. */
@inline function chacha(group: u64, purpose: i32): void {
  const constant0 = i32x4.splat(0x61707865);
  const constant1 = i32x4.splat(0x3320646e);
  const constant2 = i32x4.splat(0x79622d32);
  const constant3 = i32x4.splat(0x6b206574);
  const block = group << 2;
  const low = v128.or(i32x4.splat(<i32>block), i32x4(0, 1, 2, 3));
  const high = i32x4.splat(<i32>(block >> 32));
  const stream = i32x4.splat(purpose);
  let a0 = constant0, a1 = constant1, a2 = constant2, a3 = constant3;
  let b0 = key0, b1 = key1, b2 = key2, b3 = key3;
  let c0 = key4, c1 = key5, c2 = key6, c3 = key7;
  let d0 = low, d1 = high, d2 = stream, d3 = i32x4.splat(0);
  for (let pair = 0; pair < 4; pair++) {
    a0 = i32x4.add(a0, b0); a1 = i32x4.add(a1, b1); a2 = i32x4.add(a2, b2); a3 = i32x4.add(a3, b3);
    d0 = rotate16(v128.xor(d0, a0)); d1 = rotate16(v128.xor(d1, a1)); d2 = rotate16(v128.xor(d2, a2)); d3 = rotate16(v128.xor(d3, a3));
    c0 = i32x4.add(c0, d0); c1 = i32x4.add(c1, d1); c2 = i32x4.add(c2, d2); c3 = i32x4.add(c3, d3);
    b0 = rotate12(v128.xor(b0, c0)); b1 = rotate12(v128.xor(b1, c1)); b2 = rotate12(v128.xor(b2, c2)); b3 = rotate12(v128.xor(b3, c3));
    a0 = i32x4.add(a0, b0); a1 = i32x4.add(a1, b1); a2 = i32x4.add(a2, b2); a3 = i32x4.add(a3, b3);
    d0 = rotate8(v128.xor(d0, a0)); d1 = rotate8(v128.xor(d1, a1)); d2 = rotate8(v128.xor(d2, a2)); d3 = rotate8(v128.xor(d3, a3));
    c0 = i32x4.add(c0, d0); c1 = i32x4.add(c1, d1); c2 = i32x4.add(c2, d2); c3 = i32x4.add(c3, d3);
    b0 = rotate7(v128.xor(b0, c0)); b1 = rotate7(v128.xor(b1, c1)); b2 = rotate7(v128.xor(b2, c2)); b3 = rotate7(v128.xor(b3, c3));

    a0 = i32x4.add(a0, b1); a1 = i32x4.add(a1, b2); a2 = i32x4.add(a2, b3); a3 = i32x4.add(a3, b0);
    d3 = rotate16(v128.xor(d3, a0)); d0 = rotate16(v128.xor(d0, a1)); d1 = rotate16(v128.xor(d1, a2)); d2 = rotate16(v128.xor(d2, a3));
    c2 = i32x4.add(c2, d3); c3 = i32x4.add(c3, d0); c0 = i32x4.add(c0, d1); c1 = i32x4.add(c1, d2);
    b1 = rotate12(v128.xor(b1, c2)); b2 = rotate12(v128.xor(b2, c3)); b3 = rotate12(v128.xor(b3, c0)); b0 = rotate12(v128.xor(b0, c1));
    a0 = i32x4.add(a0, b1); a1 = i32x4.add(a1, b2); a2 = i32x4.add(a2, b3); a3 = i32x4.add(a3, b0);
    d3 = rotate8(v128.xor(d3, a0)); d0 = rotate8(v128.xor(d0, a1)); d1 = rotate8(v128.xor(d1, a2)); d2 = rotate8(v128.xor(d2, a3));
    c2 = i32x4.add(c2, d3); c3 = i32x4.add(c3, d0); c0 = i32x4.add(c0, d1); c1 = i32x4.add(c1, d2);
    b1 = rotate7(v128.xor(b1, c2)); b2 = rotate7(v128.xor(b2, c3)); b3 = rotate7(v128.xor(b3, c0)); b0 = rotate7(v128.xor(b0, c1));
  }
  v128.store(WORDS, i32x4.add(a0, constant0), 0);
  v128.store(WORDS, i32x4.add(a1, constant1), 16);
  v128.store(WORDS, i32x4.add(a2, constant2), 32);
  v128.store(WORDS, i32x4.add(a3, constant3), 48);
  v128.store(WORDS, i32x4.add(b0, key0), 64);
  v128.store(WORDS, i32x4.add(b1, key1), 80);
  v128.store(WORDS, i32x4.add(b2, key2), 96);
  v128.store(WORDS, i32x4.add(b3, key3), 112);
  v128.store(WORDS, i32x4.add(c0, key4), 128);
  v128.store(WORDS, i32x4.add(c1, key5), 144);
  v128.store(WORDS, i32x4.add(c2, key6), 160);
  v128.store(WORDS, i32x4.add(c3, key7), 176);
  v128.store(WORDS, i32x4.add(d0, low), 192);
  v128.store(WORDS, i32x4.add(d1, high), 208);
  v128.store(WORDS, i32x4.add(d2, stream), 224);
  v128.store(WORDS, d3, 240);
}

@inline function timesPlus(x: v128, y: v128, z: f32): v128 {
  return f32x4.add(f32x4.mul(x, y), f32x4.splat(z));
}

/** Magnitudes sqrt(-2 scale^2 ln u), u from the upper 31 bits of the words. `power`: -2 scale^2, four times. */
@inline function magnitude(words: v128, power: v128): v128 {
  const whole = f32x4.add(f32x4.convert_i32x4_s(i32x4.shr_u(words, 1)), f32x4.splat(0.5));
  const bits = i32x4.sub(whole, i32x4.splat(31 << 23));
  const exponent = i32x4.shr_s(i32x4.sub(bits, i32x4.splat(0x3f3504f3)), 23);
  const f = f32x4.sub(i32x4.sub(bits, i32x4.shl(exponent, 23)), f32x4.splat(1));
  let p = timesPlus(f32x4.splat(-0.10188586264848709), f, 0.15984095633029938);
  p = timesPlus(p, f, -0.17132386565208435);
  p = timesPlus(p, f, 0.19929057359695435);
  p = timesPlus(p, f, -0.24982450902462006);
  p = timesPlus(p, f, 0.333341121673584);
  p = timesPlus(p, f, -0.5000008940696716);
  const fraction = f32x4.add(f, f32x4.mul(f32x4.mul(f, f), p));
  const whole2 = f32x4.mul(f32x4.convert_i32x4_s(exponent), f32x4.splat(0.6931471824645996));
  return f32x4.sqrt(f32x4.mul(f32x4.add(whole2, fraction), power));
}

/** Box-Muller on words 2j and 2j + 1: four complex numbers, to `to`, added to what is there or not. */
@inline function pair(at: usize, to: usize, power: v128, adding: bool): void {
  const word = v128.load(at, 16);
  const r = v128.xor(magnitude(v128.load(at), power), v128.and(word, i32x4.splat(0x80000000)));
  const s = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shl(word, 1)), f32x4.splat(4.656612873077393e-10));
  const z = f32x4.mul(s, s);
  let sine = timesPlus(f32x4.splat(0.00015167170204222202), z, -0.004674143623560667);
  sine = timesPlus(sine, z, 0.07968991994857788);
  sine = timesPlus(sine, z, -0.6459637880325317);
  sine = timesPlus(sine, z, 1.5707963705062866);
  let cosine = timesPlus(f32x4.splat(0.0008581344736739993), z, -0.02081051468849182);
  cosine = timesPlus(cosine, z, 0.2536506652832031);
  cosine = timesPlus(cosine, z, -1.2336982488632202);
  cosine = timesPlus(cosine, z, 0.9999999403953552);
  const re = f32x4.mul(r, cosine);
  const im = f32x4.mul(r, f32x4.mul(s, sine));
  let first = v128.shuffle<i32>(re, im, 0, 4, 1, 5);
  let second = v128.shuffle<i32>(re, im, 2, 6, 3, 7);
  if (adding) {
    first = f32x4.add(v128.load(to), first);
    second = f32x4.add(v128.load(to, 16), second);
  }
  v128.store(to, first);
  v128.store(to, second, 16);
}

@inline function group(index: u64, purpose: i32, to: usize, power: v128, adding: bool): void {
  chacha(index, purpose);
  for (let at: usize = WORDS; at < WORDS + 256; at += 32) {
    pair(at, to, power, adding);
    to += 32;
  }
}

/** All groups of numbers `index` to `index + count - 1`; those in part go by way of PART. */
@inline function fill(to: usize, count: u32, index: u64, purpose: i32, scale: f32, adding: bool): void {
  const power = f32x4.splat(<f32>-2 * scale * scale);
  let offset = <u32>index % GROUP;
  let number = index / GROUP;
  while (count > 0) {
    if (offset == 0 && count >= GROUP) {
      group(number, purpose, to, power, adding);
      to += 8 * GROUP;
      count -= GROUP;
    } else {
      group(number, purpose, PART, power, false);
      const used = min<u32>(GROUP - offset, count);
      const from = PART + 8 * offset;
      for (let i: usize = 0; i < 8 * <usize>used; i += 8) {
        let numbers = v128.load64_zero(from + i);
        if (adding) numbers = f32x4.add(numbers, v128.load64_zero(to + i));
        v128.store64_lane(to + i, numbers, 0);
      }
      to += 8 * used;
      count -= used;
      offset = 0;
    }
    number++;
  }
}

/** to = scale z: `count` complex numbers from number `index` of the purpose. */
export function normals(to: usize, count: u32, index: f64, purpose: i32, scale: f32): void {
  fill(to, count, <u64>index, purpose, scale, false);
}

/** to += scale z. */
export function addNormals(to: usize, count: u32, index: f64, purpose: i32, scale: f32): void {
  fill(to, count, <u64>index, purpose, scale, true);
}

/** One complex product a lane pair: h is re, re, re, re; negated is -im, im, -im, im. */
@inline function product(symbols: v128, re: v128, im: v128): v128 {
  return f32x4.add(f32x4.mul(symbols, re), f32x4.mul(v128.shuffle<i32>(symbols, symbols, 1, 0, 3, 2), im));
}

/**
 * Multiplies `count` symbols by gains, one per block of `block` symbols; the first block has `first` symbols left.
 * `gains`: re, im, ... of each block.
 */
export function multiplyBlocks(symbols: usize, count: u32, gains: usize, first: u32, block: u32): void {
  const signs = i32x4(0x80000000, 0, 0x80000000, 0);
  let length = min(first, count);
  while (count > 0) {
    const re = v128.load32_splat(gains);
    const im = v128.xor(v128.load32_splat(gains, 4), signs);
    const end = symbols + 8 * length;
    for (; symbols + 16 <= end; symbols += 16) v128.store(symbols, product(v128.load(symbols), re, im));
    if (symbols < end) {
      v128.store64_lane(symbols, product(v128.load64_zero(symbols), re, im), 0);
      symbols += 8;
    }
    count -= length;
    length = min(block, count);
    gains += 8;
  }
}

/** Multiplies `count` symbols by as many gains. */
export function multiply(symbols: usize, count: u32, gains: usize): void {
  const signs = i32x4(0x80000000, 0, 0x80000000, 0);
  const end = symbols + 8 * count;
  for (; symbols < end; symbols += 16, gains += 16) {
    const h = symbols + 16 <= end ? v128.load(gains) : v128.load64_zero(gains);
    const s = symbols + 16 <= end ? v128.load(symbols) : v128.load64_zero(symbols);
    const re = v128.shuffle<i32>(h, h, 0, 0, 2, 2);
    const im = v128.xor(v128.shuffle<i32>(h, h, 1, 1, 3, 3), signs);
    const y = product(s, re, im);
    if (symbols + 16 <= end) v128.store(symbols, y);
    else v128.store64_lane(symbols, y, 0);
  }
}
