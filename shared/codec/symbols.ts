/**
 * Complex symbols as they travel: interleaved I, Q, little-endian, in the two formats of software radio. In memory a
 * symbol vector of k symbols is a Float32Array of 2k numbers re, im, re, im, ...
 *
 * - FC32: two IEEE 754 binary32, 8 bytes a symbol, exact.
 * - SC16: two signed 16-bit integers, 4 bytes a symbol, value = integer * scale. Rounds to the nearest integer, halves
 *   away from zero, and saturates at -32768 and 32767. With the scale of `sc16Scale` the error is at most
 *   0.503 * scale per real dimension, that is max|component| / 65,000.
 */
import { SymbolFormat } from '../gen/semlink/v1/frame_pb.js';
import { invalidArgument } from '../rpc/errors.js';

/** Most symbols a frame may carry; a bound against nonsense, far over what one image needs. */
export const maxChannelUses = 65_536;

const bytesPerSymbol: Partial<Record<SymbolFormat, number>> = {
  [SymbolFormat.FC32]: 8,
  [SymbolFormat.SC16]: 4,
};

const sc16Max = 32_767;
const leastInteger = -32_768;
/** Least normal binary32: a smaller scale would lose its own digits. */
const leastScale = 2 ** -126;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export interface EncodedSymbols {
  iq: Uint8Array;
  /** `SymbolFrame.sc16_scale`, a binary32 number > 0; 0 for FC32. */
  scale: number;
}

/** What `decodeSymbols` needs of a `SymbolFrame`. */
export interface SymbolPayload {
  format: SymbolFormat;
  /** k. */
  channelUses: number;
  sc16Scale: number;
  iq: Uint8Array;
}

/** Bytes of one symbol. @throws SemlinkError INVALID_ARGUMENT for an unknown format */
export function symbolBytes(format: SymbolFormat): number {
  const bytes = bytesPerSymbol[format];
  if (bytes === undefined) {
    throw invalidArgument(
      'symbol format',
      SymbolFormat[format] ?? format,
      'use SYMBOL_FORMAT_SC16 or SYMBOL_FORMAT_FC32',
    );
  }
  return bytes;
}

/** The SC16 scale at which the largest component of the symbols just fits: max|component| / 32767, as binary32. */
export function sc16Scale(symbols: Float32Array): number {
  return scaleOf(peakOf(symbols));
}

function scaleOf(peak: number): number {
  return peak === 0 ? 1 : Math.max(leastScale, Math.fround(peak / sc16Max));
}

/** max|component|; NaN or infinite where a component is. */
function peakOf(symbols: Float32Array): number {
  let peak = 0;
  for (let i = 0; i < symbols.length; i++) peak = Math.max(peak, Math.abs(symbols[i]!));
  return peak;
}

/**
 * Symbols to bytes.
 * @param symbols 2k finite numbers re, im, ...
 * @param scale SC16 only; default: fitted to these symbols
 * @param into takes the bytes when it has their length; default: a new array
 * @throws SemlinkError INVALID_ARGUMENT naming the first symbol that is not finite, or the format
 */
export function encodeSymbols(
  format: SymbolFormat,
  symbols: Float32Array,
  scale?: number,
  into?: Uint8Array,
): EncodedSymbols {
  const length = (symbols.length / 2) * symbolBytes(format);
  const peak = peakOf(symbols);
  if (!Number.isFinite(peak)) refuseNotFinite(symbols);
  const iq = into?.length === length ? into : new Uint8Array(length);
  if (format === SymbolFormat.FC32) {
    iq.set(new Uint8Array(symbols.buffer, symbols.byteOffset, symbols.byteLength));
    if (!isLittleEndian) swapBytes(iq, 4);
    return { iq, scale: 0 };
  }
  const step = scale ?? scaleOf(peak);
  checkScale(step);
  const count = symbols.length;
  for (let i = 0; i < count; i++) {
    const bounded = Math.max(leastInteger, Math.min(sc16Max, symbols[i]! / step));
    // Halves away from zero, without a branch: signs are random, and no processor guesses them.
    const halves = (2 * bounded) | 0;
    const integer = (halves + 1 + (halves >> 31)) >> 1;
    iq[2 * i] = integer;
    iq[2 * i + 1] = integer >> 8;
  }
  return { iq, scale: step };
}

/**
 * Bytes to symbols.
 * @param into takes the symbols when it has room for just these; default: a new array
 * @returns 2k finite numbers re, im, ...
 * @throws SemlinkError INVALID_ARGUMENT when the length does not fit k, the scale is no positive number, or a symbol is
 * NaN or infinite
 */
export function decodeSymbols(payload: SymbolPayload, into?: Float32Array): Float32Array {
  const { format, channelUses, iq } = payload;
  const bytes = symbolBytes(format);
  if (!(channelUses >= 1 && channelUses <= maxChannelUses)) {
    throw invalidArgument('channel_uses', channelUses, `use 1 to ${maxChannelUses}`);
  }
  if (iq.length !== channelUses * bytes) {
    const todo = `${channelUses} ${SymbolFormat[format]} symbols take ${channelUses * bytes}`;
    throw invalidArgument('length of iq', `${iq.length} bytes`, todo);
  }
  const symbols = into?.length === 2 * channelUses ? into : new Float32Array(2 * channelUses);
  if (format === SymbolFormat.FC32) {
    const view = new Uint8Array(symbols.buffer, symbols.byteOffset, symbols.byteLength);
    view.set(iq);
    if (!isLittleEndian) swapBytes(view, 4);
    if (!Number.isFinite(peakOf(symbols))) refuseNotFinite(symbols);
    return symbols;
  }
  const scale = payload.sc16Scale;
  checkScale(scale);
  // x - x is 0 for every finite x and NaN for the infinities: a scale near the largest binary32 can lead to one.
  let sum = 0;
  for (let i = 0; i < symbols.length; i++) {
    const x = Math.fround((((iq[2 * i]! | (iq[2 * i + 1]! << 8)) << 16) >> 16) * scale);
    symbols[i] = x;
    sum += x - x;
  }
  if (sum !== 0) refuseNotFinite(symbols);
  return symbols;
}

function checkScale(scale: number): void {
  if (!(scale > 0 && scale < Number.POSITIVE_INFINITY)) {
    throw invalidArgument('sc16_scale', scale, 'SC16 needs the value of one integer step, a number over 0');
  }
}

function refuseNotFinite(symbols: Float32Array): never {
  const i = symbols.findIndex((x) => !Number.isFinite(x));
  const part = i % 2 === 0 ? 'I' : 'Q';
  throw invalidArgument(`${part} of symbol ${i >> 1}`, symbols[i], 'every component must be a finite number');
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}
