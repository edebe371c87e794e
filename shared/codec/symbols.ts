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
  let peak = 0;
  for (let i = 0; i < symbols.length; i++) peak = Math.max(peak, Math.abs(symbols[i]!));
  return peak === 0 ? 1 : Math.max(leastScale, Math.fround(peak / sc16Max));
}

/**
 * Symbols to bytes.
 * @param symbols 2k finite numbers re, im, ...
 * @param scale SC16 only; default: fitted to these symbols
 * @throws SemlinkError INVALID_ARGUMENT naming the first symbol that is not finite, or the format
 */
export function encodeSymbols(format: SymbolFormat, symbols: Float32Array, scale?: number): EncodedSymbols {
  symbolBytes(format);
  checkFinite(symbols);
  if (format === SymbolFormat.FC32) return { iq: floatsToBytes(symbols), scale: 0 };
  const step = scale ?? sc16Scale(symbols);
  checkScale(step);
  const integers = new Int16Array(symbols.length);
  for (let i = 0; i < symbols.length; i++) {
    const exact = symbols[i]! / step;
    const rounded = exact < 0 ? -Math.floor(0.5 - exact) : Math.floor(exact + 0.5);
    integers[i] = Math.min(sc16Max, Math.max(-sc16Max - 1, rounded));
  }
  return { iq: littleEndian(integers, 2), scale: step };
}

/**
 * Bytes to symbols.
 * @returns 2k finite numbers re, im, ...
 * @throws SemlinkError INVALID_ARGUMENT when the length does not fit k, the scale is no positive number, or a symbol is
 * NaN or infinite
 */
export function decodeSymbols(payload: SymbolPayload): Float32Array {
  const { format, channelUses, iq } = payload;
  const bytes = symbolBytes(format);
  if (!(channelUses >= 1 && channelUses <= maxChannelUses)) {
    throw invalidArgument('channel_uses', channelUses, `use 1 to ${maxChannelUses}`);
  }
  if (iq.length !== channelUses * bytes) {
    const todo = `${channelUses} ${SymbolFormat[format]} symbols take ${channelUses * bytes}`;
    throw invalidArgument('length of iq', `${iq.length} bytes`, todo);
  }
  if (format === SymbolFormat.FC32) {
    const symbols = new Float32Array(2 * channelUses);
    new Uint8Array(symbols.buffer).set(iq);
    if (!isLittleEndian) swapBytes(symbols, 4);
    checkFinite(symbols);
    return symbols;
  }
  checkScale(payload.sc16Scale);
  const integers = new Int16Array(2 * channelUses);
  new Uint8Array(integers.buffer).set(iq);
  if (!isLittleEndian) swapBytes(integers, 2);
  const symbols = new Float32Array(2 * channelUses);
  for (let i = 0; i < symbols.length; i++) symbols[i] = integers[i]! * payload.sc16Scale;
  // A scale near the largest binary32 can push a symbol beyond it.
  checkFinite(symbols);
  return symbols;
}

function checkScale(scale: number): void {
  if (!(scale > 0 && scale < Number.POSITIVE_INFINITY)) {
    throw invalidArgument('sc16_scale', scale, 'SC16 needs the value of one integer step, a number over 0');
  }
}

function checkFinite(symbols: Float32Array): void {
  for (let i = 0; i < symbols.length; i++) {
    // x - x is 0 for every finite x and NaN for NaN and the infinities.
    if (symbols[i]! - symbols[i]! !== 0) {
      const part = i % 2 === 0 ? 'I' : 'Q';
      throw invalidArgument(`${part} of symbol ${i >> 1}`, symbols[i], 'every component must be a finite number');
    }
  }
}

function floatsToBytes(symbols: Float32Array): Uint8Array {
  return littleEndian(symbols.slice(), 4);
}

/** The bytes of an array in little-endian order; takes the array over. */
function littleEndian(array: Int16Array | Float32Array, size: number): Uint8Array {
  if (!isLittleEndian) swapBytes(array, size);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function swapBytes(array: Int16Array | Float32Array, size: number): void {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}
