import { leave } from './uncommon.js';

const firstSize = 64 * 1024;
/** A buffer that grew beyond this is given back. */
const keptSize = 1024 * 1024;
/** Room that is always there for a number with its tag. */
const slack = 32;
const mostUint64 = 2n ** 64n - 1n;

const words64 = new BigUint64Array(1);
const words32 = new Uint32Array(words64.buffer);
const low = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1;

/**
 * Writes the parts of one protobuf message from back to front, so that the length of a part is known when it is written.
 * Values that are not of their type go to `leave`.
 */
export class WireWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(firstSize);
  #view = new DataView(this.#bytes.buffer, 0, firstSize);
  /** The bytes from here on are written. */
  #at = firstSize;
  #lower = 0;
  #upper = 0;

  start(): void {
    if (this.#bytes.length > keptSize) this.#resize(Buffer.allocUnsafeSlow(firstSize));
    this.#at = this.#bytes.length;
  }

  /** A copy of what has been written. */
  finish(): Buffer {
    const bytes = Buffer.allocUnsafe(this.written);
    this.#bytes.copy(bytes, 0, this.#at);
    return bytes;
  }

  get written(): number {
    return this.#bytes.length - this.#at;
  }

  /** Number and wire type of a field; comes after its value. */
  tag(tag: number): void {
    if (this.#at < slack) this.#grow(slack);
    if (tag < 128) this.#bytes[--this.#at] = tag;
    else this.#varint(tag);
  }

  uint32(value: number): void {
    if (this.#at < slack) this.#grow(slack);
    if (value >>> 0 !== value) leave();
    this.#varint(value);
  }

  enumeration(value: number): void {
    if (!(value >= 0 && value <= 0x7fffffff)) leave();
    this.uint32(value);
  }

  bool(value: boolean): void {
    if (typeof value !== 'boolean') leave();
    this.uint32(value ? 1 : 0);
  }

  uint64(value: bigint): void {
    this.#split(value);
    let lower = this.#lower;
    let upper = this.#upper;
    if (upper === 0) {
      this.#varint(lower);
      return;
    }
    let length = 5;
    for (let rest = upper >>> 3; rest > 0; rest >>>= 7) length++;
    this.#at -= length;
    let to = this.#at;
    for (let i = 1; i < length; i++) {
      this.#bytes[to++] = (lower & 127) | 128;
      lower = (lower >>> 7) | (upper << 25);
      upper >>>= 7;
    }
    this.#bytes[to] = lower & 127;
  }

  fixed64(value: bigint): void {
    this.#split(value);
    this.#at -= 8;
    this.#view.setUint32(this.#at, this.#lower, true);
    this.#view.setUint32(this.#at + 4, this.#upper, true);
  }

  float(value: number): void {
    if (this.#at < slack) this.#grow(slack);
    // Beyond binary32 protobuf-es refuses; NaN and the infinities are fine.
    if (typeof value !== 'number' || (Math.abs(Math.fround(value)) === Infinity && Math.abs(value) !== Infinity))
      leave();
    this.#at -= 4;
    this.#view.setFloat32(this.#at, value, true);
  }

  double(value: number): void {
    if (this.#at < slack) this.#grow(slack);
    if (typeof value !== 'number') leave();
    this.#at -= 8;
    this.#view.setFloat64(this.#at, value, true);
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) leave();
    const { length } = value;
    if (this.#at < length + slack) this.#grow(length + slack);
    this.#at -= length;
    this.#bytes.set(value, this.#at);
    this.#varint(length);
  }

  /** Length and text. */
  string(value: string): void {
    if (typeof value !== 'string') leave();
    const { length } = value;
    if (this.#at < length + slack) this.#grow(length + slack);
    const bytes = this.#bytes;
    const start = this.#at - length;
    let all = 0;
    if (length <= 128) {
      for (let i = 0; i < length; i++) {
        const code = value.charCodeAt(i);
        all |= code;
        bytes[start + i] = code;
      }
    }
    if (length > 128 || all > 127) {
      this.bytes(Buffer.from(value, 'utf8'));
      return;
    }
    this.#at = start;
    this.#varint(length);
  }

  /** The two halves of a number of 64 bits. */
  #split(value: bigint): void {
    if (this.#at < slack) this.#grow(slack);
    if (typeof value !== 'bigint') leave();
    // Operations on bigints are slow, and most numbers need none.
    const number = Number(value);
    if (number >= 0 && number <= Number.MAX_SAFE_INTEGER) {
      this.#lower = number >>> 0;
      this.#upper = Math.floor(number / 4294967296);
      return;
    }
    if (value < 0n || value > mostUint64) leave();
    words64[0] = value;
    this.#lower = words32[low]!;
    this.#upper = words32[1 - low]!;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    if (value < 128) {
      bytes[--this.#at] = value;
      return;
    }
    let length = 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) length++;
    this.#at -= length;
    let to = this.#at;
    for (let i = 1; i < length; i++) {
      bytes[to++] = (value & 127) | 128;
      value >>>= 7;
    }
    bytes[to] = value;
  }

  #grow(room: number): void {
    const { written } = this;
    const larger = Buffer.allocUnsafeSlow(2 * (written + room) + firstSize);
    this.#bytes.copy(larger, larger.length - written, this.#at);
    this.#resize(larger);
    this.#at = larger.length - written;
  }

  #resize(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
