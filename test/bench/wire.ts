/** Just enough of the protobuf wire format to keep load generators cheaper than what they load. */

export interface WireField {
  number: number;
  /** Of the payload; for varints of the varint itself. */
  start: number;
  end: number;
}

/** Fields of a message in a buffer, in turn. The object is the same every time. */
export function* fields(bytes: Uint8Array, start: number, end: number): Generator<WireField> {
  const field: WireField = { number: 0, start: 0, end: 0 };
  for (let at = start; at < end; at = field.end) {
    const tag = varint(bytes, at);
    at = varintEnd(bytes, at);
    field.number = tag >>> 3;
    const type = tag & 7;
    if (type === 2) {
      const length = varint(bytes, at);
      field.start = varintEnd(bytes, at);
      field.end = field.start + length;
    } else {
      field.start = at;
      field.end = type === 0 ? varintEnd(bytes, at) : at + (type === 1 ? 8 : 4);
    }
    yield field;
  }
}

/** Value of a varint below 2^53. */
export function varint(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
}

function varintEnd(bytes: Uint8Array, at: number): number {
  while (bytes[at]! >= 128) at++;
  return at + 1;
}

/** Tag and length that come before `length` bytes of field `number`, 1 to 15. */
export function lengthDelimited(number: number, length: number): Buffer {
  const bytes = [(number << 3) | 2];
  for (; length >= 128; length = Math.floor(length / 128)) bytes.push((length % 128) | 128);
  bytes.push(length);
  return Buffer.from(bytes);
}
