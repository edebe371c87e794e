import { leave } from './uncommon.js';

/** Strings up to this many bytes, all ASCII, are looked up before they are made: names and link ids come again and again. */
const longestKnown = 64;
const knownSlots = 8192;
const known: string[] = new Array<string>(knownSlots).fill('');

/** Refuses what is no UTF-8. */
const decoder = new TextDecoder('utf-8', { fatal: true });

const words64 = new BigUint64Array(1);
const words32 = new Uint32Array(words64.buffer);
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const low = isLittleEndian ? 0 : 1;

/** Reads the parts of one protobuf message from front to back. Whatever is broken or unusual goes to `leave`. */
export class WireReader {
  at = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Starts at the front of `bytes`; returns their end. */
  start(bytes: Buffer): number {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    return bytes.length;
  }

  /** Lets go of the bytes. */
  done(): void {
    this.#bytes = Buffer.alloc(0);
  }

  /** A varint of at most 32 bits. */
  uint32(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++]!;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = bytes[this.at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    byte = bytes[this.at++]!;
    // Also where the bytes have come to their end.
    if (!(byte < 16)) leave();
    return (value | (byte << 28)) >>> 0;
  }

  /** An enumeration's number; negative ones are left. */
  enumeration(): number {
    const value = this.uint32();
    if (value > 0x7fffffff) leave();
    return value;
  }

  bool(): boolean {
    const value = this.uint32();
    if (value > 1) leave();
    return value === 1;
  }

  uint64(): bigint {
    const bytes = this.#bytes;
    let lower = 0;
    let upper = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[this.at++]!;
      const part = byte & 127;
      if (shift < 28) lower |= part << shift;
      else if (shift === 28) {
        lower |= part << 28;
        upper = part >>> 4;
      } else upper |= part << (shift - 32);
      if (byte < 128) {
        if (shift === 63 && byte > 1) leave();
        words32[low] = lower;
        words32[1 - low] = upper;
        return words64[0]!;
      }
    }
    leave();
  }

  fixed64(): bigint {
    words32[low] = this.#view.getUint32(this.at, true);
    words32[1 - low] = this.#view.getUint32(this.at + 4, true);
    this.at += 8;
    return words64[0]!;
  }

  float(): number {
    const value = this.#view.getFloat32(this.at, true);
    this.at += 4;
    return value;
  }

  double(): number {
    const value = this.#view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** Where a length-delimited field ends that begins here and must lie before `limit`. */
  end(limit: number): number {
    const end = this.uint32() + this.at;
    // The comparison is false for NaN, too.
    if (!(end <= limit)) leave();
    return end;
  }

  /** A view of the input, as protobuf-es gives it. */
  bytes(limit: number): Uint8Array {
    const end = this.end(limit);
    const bytes = this.#bytes;
    const value = new Uint8Array(bytes.buffer, bytes.byteOffset + this.at, end - this.at);
    this.at = end;
    return value;
  }

  string(limit: number): string {
    const end = this.end(limit);
    const start = this.at;
    this.at = end;
    if (end === start) return '';
    const bytes = this.#bytes;
    if (end - start > longestKnown) return decoder.decode(bytes.subarray(start, end));
    let hash = end - start;
    let all = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      all |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (all > 127) return decoder.decode(bytes.subarray(start, end));
    const slot = (hash ^ (hash >>> 15)) & (knownSlots - 1);
    const candidate = known[slot]!;
    if (candidate.length === end - start && this.#is(candidate, start)) return candidate;
    const value = bytes.toString('latin1', start, end);
    known[slot] = value;
    return value;
  }

  #is(text: string, start: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
    return true;
  }
}
