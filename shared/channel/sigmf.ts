/**
 * SigMF (Signal Metadata Format, sigmf.org, version 1.2): a recording is a file of samples, `NAME.sigmf-data`, and a JSON
 * file that says what they are, `NAME.sigmf-meta`. Keys that are not of the standard are of the extension namespace
 * `semlink`, which is optional: any SigMF tool opens the recording.
 *
 * Sample types: `cf32_le`, interleaved little-endian binary32 I and Q, exact; `ci16_le`, two little-endian 16-bit
 * integers, value = integer * `semlink:scale`, saturating.
 */
export const sigmfTypes = ['cf32_le', 'ci16_le'] as const;
export type SigmfType = (typeof sigmfTypes)[number];

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export const sigmfVersion = '1.2.0';

/** Extension of the file of samples and of the file that describes it. */
export const dataExtension = '.sigmf-data';
export const metaExtension = '.sigmf-meta';

export interface SigmfGlobal {
  'core:datatype': string;
  /** Samples (symbols) a second. */
  'core:sample_rate'?: number;
  'core:version': string;
  'core:sha512'?: string;
  'core:num_channels'?: number;
  'core:description'?: string;
  'core:recorder'?: string;
  'core:extensions'?: { name: string; version: string; optional: boolean }[];
  /** Value of one integer step of `ci16_le`. */
  'semlink:scale'?: number;
  /** `sent`: before the air; `received`: after it. */
  'semlink:side'?: string;
  /** Seed of the links. */
  'semlink:seed'?: string;
  /** Frames that were not recorded because the disk was too slow. */
  'semlink:missing_frames'?: number;
}

/** One frame of one link. */
export interface SigmfFrame {
  'core:sample_start': number;
  /** k. */
  'core:sample_count': number;
  /** The link. */
  'core:label'?: string;
  'core:comment'?: string;
  'semlink:link'?: string;
  'semlink:sequence'?: number;
  /** Symbols the link had carried before the frame. */
  'semlink:position'?: number;
  /** Arrival, nanoseconds since the Unix epoch in decimal: too large for a JSON number. */
  'semlink:time_unix_nano'?: string;
  'semlink:model'?: string;
  'semlink:snr_db'?: number;
  'semlink:noise_power'?: number;
  /** Complex gains, re, im, ...: one per `semlink:block_symbols` symbols. */
  'semlink:gains'?: number[];
  'semlink:block_symbols'?: number;
  'semlink:erased'?: boolean;
}

export interface SigmfMeta {
  global: SigmfGlobal;
  captures: { 'core:sample_start': number; 'core:datetime'?: string }[];
  annotations: SigmfFrame[];
}

export function sampleBytes(type: SigmfType): number {
  return type === 'cf32_le' ? 8 : 4;
}

/** Samples as bytes. @param samples 2n numbers re, im, ... @param scale of `ci16_le` */
export function samplesToBytes(type: SigmfType, samples: Float32Array, scale: number): Buffer {
  if (type === 'cf32_le') {
    const copy = Buffer.from(samples.slice().buffer);
    return isLittleEndian ? copy : copy.swap32();
  }
  const bytes = Buffer.allocUnsafe((samples.length / 2) * sampleBytes(type));
  for (let i = 0; i < samples.length; i++) {
    const integer = Math.round(samples[i]! / scale);
    bytes.writeInt16LE(Math.min(32_767, Math.max(-32_768, integer)), 2 * i);
  }
  return bytes;
}

/** The inverse of `samplesToBytes`; bytes beyond the last whole sample are left out. */
export function samplesFromBytes(type: SigmfType, bytes: Buffer, scale: number): Float32Array {
  const samples = new Float32Array(2 * Math.floor(bytes.length / sampleBytes(type)));
  for (let i = 0; i < samples.length; i++) {
    samples[i] = type === 'cf32_le' ? bytes.readFloatLE(4 * i) : bytes.readInt16LE(2 * i) * scale;
  }
  return samples;
}
