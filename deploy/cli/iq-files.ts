import { createHash } from 'node:crypto';
import { type FileHandle, open, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  dataExtension,
  metaExtension,
  type SigmfFrame,
  type SigmfMeta,
  type SigmfType,
  sampleBytes,
  samplesFromBytes,
  samplesToBytes,
  sigmfVersion,
} from '../../shared/channel/sigmf.js';
import { readSigmfMeta, readSigmfSamples, sigmfName } from '../../shared/channel/sigmf-file.js';
import { semlinkVersion } from '../../shared/config/index.js';
import { invalidArgument, notFound } from '../../shared/rpc/errors.js';

export interface ConvertOptions {
  /** Only the frames of this link; empty: everything. */
  link: string;
  /** Type of a SigMF file that is written. */
  type: SigmfType;
  /** Amplitude that 32768 stands for, of integer files that do not say it. */
  fullScale: number;
  sampleRateHz?: number | undefined;
}

/** Samples that are in memory at a time. */
const chunkSamples = 1 << 18;
const rawTypes: Readonly<Record<string, SigmfType>> = {
  '.fc32': 'cf32_le',
  '.cf32': 'cf32_le',
  '.cfile': 'cf32_le',
  '.sc16': 'ci16_le',
  '.cs16': 'ci16_le',
};

/**
 * Copies complex samples from one file to another of perhaps another kind.
 * @returns how many, their mean power and their greatest |component|
 * @throws SemlinkError NOT_FOUND, INVALID_ARGUMENT naming the file and what is wrong
 */
export async function convertIq(
  from: string,
  to: string,
  options: ConvertOptions,
): Promise<{ samples: number; power: number; peak: number }> {
  const source = await openSource(from, options);
  const name = /\.sigmf-(meta|data)$/.test(to) ? sigmfName(to) : undefined;
  const type = name === undefined ? rawType(to) : options.type;
  const scale = options.fullScale / 32_768;
  const out = await open(name === undefined ? to : `${name}${dataExtension}`, 'w');
  const hash = createHash('sha512');
  let samples = 0;
  let power = 0;
  let peak = 0;
  try {
    for await (const chunk of source.chunks) {
      for (const value of chunk) {
        power += value * value;
        peak = Math.max(peak, Math.abs(value));
      }
      const bytes = samplesToBytes(type, chunk, scale);
      hash.update(bytes);
      await out.write(bytes);
      samples += chunk.length / 2;
    }
  } finally {
    await out.close();
  }
  if (name !== undefined) {
    const meta: SigmfMeta = {
      global: {
        'core:datatype': type,
        'core:version': sigmfVersion,
        'core:sample_rate': options.sampleRateHz ?? source.sampleRateHz ?? 1e6,
        'core:recorder': `semlink iq ${semlinkVersion()}`,
        'core:description': `From ${path.basename(from)}`,
        'core:sha512': hash.digest('hex'),
        ...(source.frames.length > 0 && {
          'core:extensions': [{ name: 'semlink', version: '1.0.0', optional: true }],
        }),
        ...(type === 'ci16_le' && { 'semlink:scale': scale }),
      },
      captures: [{ 'core:sample_start': 0 }],
      annotations: source.frames,
    };
    await writeFile(`${name}${metaExtension}`, `${JSON.stringify(meta, null, 1)}\n`);
  }
  return { samples, power: samples > 0 ? power / samples : 0, peak };
}

interface Source {
  chunks: AsyncIterable<Float32Array>;
  /** Annotations, at their places in what is copied. */
  frames: SigmfFrame[];
  sampleRateHz?: number | undefined;
}

async function openSource(file: string, { link, fullScale }: ConvertOptions): Promise<Source> {
  if (!/\.sigmf-(meta|data)$/.test(file)) {
    if (link !== '') throw invalidArgument('link', link, 'only a SigMF recording knows links');
    return { chunks: rawChunks(file, rawType(file), fullScale / 32_768), frames: [] };
  }
  const meta = await readSigmfMeta(file);
  const sampleRateHz = meta.global['core:sample_rate'];
  if (link === '') return { chunks: sigmfChunks(file, meta), frames: meta.annotations, sampleRateHz };
  const chosen = meta.annotations.filter((frame) => frame['semlink:link'] === link);
  if (chosen.length === 0) throw notFound('link in the recording', link, 'no frame of it was recorded');
  let start = 0;
  const frames = chosen.map((frame) => {
    const moved = { ...frame, 'core:sample_start': start };
    start += frame['core:sample_count'];
    return moved;
  });
  return { chunks: frameChunks(file, meta, chosen), frames, sampleRateHz };
}

async function* sigmfChunks(file: string, meta: SigmfMeta): AsyncGenerator<Float32Array> {
  const width = sampleBytes(meta.global['core:datatype'] as SigmfType);
  const total = Math.floor((await stat(`${sigmfName(file)}${dataExtension}`)).size / width);
  for (let at = 0; at < total; at += chunkSamples) {
    yield readSigmfSamples(file, meta, at, Math.min(chunkSamples, total - at));
  }
}

async function* frameChunks(file: string, meta: SigmfMeta, frames: SigmfFrame[]): AsyncGenerator<Float32Array> {
  for (const frame of frames) {
    yield readSigmfSamples(file, meta, frame['core:sample_start'], frame['core:sample_count']);
  }
}

async function* rawChunks(file: string, type: SigmfType, scale: number): AsyncGenerator<Float32Array> {
  const handle: FileHandle = await open(file).catch(() => {
    throw notFound('IQ file', file, 'there is no such file');
  });
  try {
    const { size } = await handle.stat();
    const width = sampleBytes(type);
    if (size % width !== 0) {
      throw invalidArgument(`size of ${file}`, size, `${type} takes ${width} bytes a sample: it is something else`);
    }
    const buffer = Buffer.allocUnsafe(chunkSamples * width);
    for (let at = 0; at < size; at += buffer.length) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - at), at);
      yield samplesFromBytes(type, buffer.subarray(0, bytesRead), scale);
    }
  } finally {
    await handle.close();
  }
}

function rawType(file: string): SigmfType {
  const type = rawTypes[path.extname(file).toLowerCase()];
  if (type) return type;
  const known = [metaExtension, ...Object.keys(rawTypes)].join(', ');
  throw invalidArgument('IQ file', file, `its extension must be one of ${known}`);
}
