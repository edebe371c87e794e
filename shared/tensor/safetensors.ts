import { z } from 'zod';
import type { WeightTensor } from '../codec/weights.js';

const size = z.int().min(0);

/** One entry of a safetensors header. */
const headerEntry = z.object({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) });
type HeaderEntry = z.infer<typeof headerEntry>;

const headerSchema = z.record(z.string(), z.unknown());
const metadataSchema = z.record(z.string(), z.string());

/**
 * Writes float32 arrays in the safetensors format: u64 length of a JSON header, the header, the little-endian data.
 * The same arrays in the same order give the same bytes.
 */
export function writeSafetensors(tensors: ReadonlyMap<string, WeightTensor>, metadata: Record<string, string>): Buffer {
  const header: Record<string, HeaderEntry | Record<string, string>> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = JSON.stringify(header);
  // Data starts at a multiple of 8 bytes, as the format asks; blanks fill the header.
  const text = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const data = [...tensors.values()].map((t) => Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength));
  return Buffer.concat([length, text, ...data]);
}

/**
 * Reads a safetensors file of float32 arrays.
 *
 * @throws Error saying what is wrong with the file: too short, a header that is no JSON, another element type, or data
 * that does not fit the shapes
 */
export function readSafetensors(file: Uint8Array): {
  tensors: Map<string, WeightTensor>;
  metadata: Record<string, string>;
} {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < 8) throw new Error(`not a safetensors file: ${bytes.length} bytes, at least 8 are needed`);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  if (8 + headerLength > bytes.length) {
    throw new Error(`safetensors: header of ${headerLength} bytes in a file of ${bytes.length}: the file is cut short`);
  }
  const { __metadata__ = {}, ...entries } = readHeader(bytes.toString('utf8', 8, 8 + headerLength));
  const metadata = metadataSchema.safeParse(__metadata__);
  if (!metadata.success) throw new Error('safetensors: the header\'s "__metadata__" is not an object of texts');
  const tensors = new Map<string, WeightTensor>();
  for (const [name, value] of Object.entries(entries)) {
    const parsed = headerEntry.safeParse(value);
    if (!parsed.success) {
      throw new Error(`safetensors: the header has no whole type, shape and offsets of "${name}": the file is damaged`);
    }
    const entry = parsed.data;
    if (entry.dtype !== 'F32') throw new Error(`safetensors: "${name}" has type ${entry.dtype}, only F32 is read here`);
    const [from, to] = entry.data_offsets;
    const size = entry.shape.reduce((a, b) => a * b, 1);
    const start = 8 + headerLength + from;
    if (to - from !== 4 * size || start + 4 * size > bytes.length) {
      throw new Error(
        `safetensors: "${name}" of shape [${entry.shape}] has ${to - from} bytes, or the file is cut short`,
      );
    }
    const data = new Float32Array(size);
    Buffer.from(data.buffer).set(bytes.subarray(start, start + 4 * size));
    tensors.set(name, { shape: entry.shape, data });
  }
  return { tensors, metadata: metadata.data };
}

function readHeader(text: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw new Error('safetensors: the header is not JSON', { cause });
  }
  const parsed = headerSchema.safeParse(header);
  if (!parsed.success) throw new Error('safetensors: the header is not a JSON object');
  return parsed.data;
}
