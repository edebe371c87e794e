/** What tells a frame from all others, on every hop and in its answer. */
export interface FrameIdentity {
  readonly linkId: string;
  readonly sequence: bigint;
  /** Nanoseconds since the Unix epoch; tells the frames of two runs of one link apart. */
  readonly captureTimeUnixNano: bigint;
}

/** Spans whose id every service can work out, so that others can be hung under them before they are recorded. */
export type KnownSpan = 'send' | 'transmit';

/**
 * The trace id of a frame, 32 hexadecimal digits: a hash of its identity. All services agree on it though nothing is
 * carried in the frame, which is what lets a frame be traced after it has failed.
 */
export function frameTraceId(frame: FrameIdentity): string {
  let id = '';
  for (let part = 0; part < 4; part++) id += hex(hashOf(frame, part));
  return id;
}

/** The id of a span of a frame, 16 hexadecimal digits; also within a trace that several frames share. */
export function frameSpanId(traceId: string, frame: FrameIdentity, span: KnownSpan): string {
  const seed = span === 'send' ? 0x5e4d : 0x7a45;
  return hex(hashText(traceId, hashOf(frame, seed)) || 1) + hex(hashText(traceId, hashOf(frame, seed + 1)) || 1);
}

/** A hash of link and sequence alone, 32 bits without sign: the same in every run, so the same frames are sampled. */
export function samplingHash(linkId: string, sequence: bigint): number {
  // FNV-1a; the mixing at the end takes the low bits to the high ones, which are compared with the threshold.
  let hash = 0x811c9dc5;
  for (let i = 0; i < linkId.length; i++) hash = Math.imul(hash ^ linkId.charCodeAt(i), PRIME);
  hash = Math.imul(hash ^ lowOf(sequence), PRIME);
  return mix(Math.imul(hash ^ highOf(sequence), PRIME));
}

const PRIME = 0x01000193;

// Mixed after every word: else two frames whose hashes meet under one seed would meet under the others too, and an id is
// made of several.
function hashOf({ linkId, sequence, captureTimeUnixNano }: FrameIdentity, seed: number): number {
  let hash = hashText(linkId, seed);
  for (const value of [sequence, captureTimeUnixNano]) {
    hash = mix(Math.imul(hash, PRIME) ^ lowOf(value));
    hash = mix(Math.imul(hash, PRIME) ^ highOf(value));
  }
  return hash || 1;
}

function hashText(text: string, seed: number): number {
  let hash = mix(seed + 1);
  for (let i = 0; i < text.length; i++) hash = mix(Math.imul(hash, PRIME) ^ text.charCodeAt(i));
  return hash;
}

/** The finalizer of MurmurHash3. */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function lowOf(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

function highOf(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}

// By bytes from a table: toString is several times slower for numbers of 32 bits.
const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex(value: number): string {
  return BYTES[value >>> 24]! + BYTES[(value >>> 16) & 255]! + BYTES[(value >>> 8) & 255]! + BYTES[value & 255]!;
}
