import { open, readFile } from 'node:fs/promises';
import { isMissing } from '../config/index.js';
import { invalidArgument, notFound } from '../rpc/errors.js';
import {
  dataExtension,
  metaExtension,
  type SigmfFrame,
  type SigmfMeta,
  type SigmfType,
  sampleBytes,
  samplesFromBytes,
  sigmfTypes,
} from './sigmf.js';
import type { Trace } from './trace.js';

/** Largest description that is read. */
const greatestMetaBytes = 512 * 2 ** 20;
/** Value of one integer step where a recording of somebody else does not say: full scale is 1. */
export const plainScale = 1 / 32_768;

/** @param file NAME, NAME.sigmf-meta or NAME.sigmf-data */
export function sigmfName(file: string): string {
  return file.replace(/\.sigmf-(meta|data)$/, '');
}

/**
 * Reads what a recording says of itself.
 * @throws SemlinkError NOT_FOUND, INVALID_ARGUMENT when it is no SigMF of complex samples that are known here
 */
export async function readSigmfMeta(file: string): Promise<SigmfMeta> {
  const name = `${sigmfName(file)}${metaExtension}`;
  const text = await readFile(name, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) throw notFound('SigMF recording', name, 'there is no such file');
    throw invalidArgument('SigMF recording', name, `it cannot be read: ${error.message}`);
  });
  return parseSigmfMeta(text, name);
}

/**
 * What the text of a `.sigmf-meta` file says.
 * @param name of the file, for messages
 * @throws SemlinkError INVALID_ARGUMENT as `readSigmfMeta`
 */
export function parseSigmfMeta(text: string, name: string): SigmfMeta {
  if (text.length > greatestMetaBytes) throw invalidArgument('size of the recording', text.length, 'split it');
  let meta: SigmfMeta;
  try {
    meta = JSON.parse(text) as SigmfMeta;
  } catch (error) {
    throw invalidArgument('SigMF recording', name, `it is no whole JSON (${String(error)}); was it cut off?`);
  }
  if (typeof meta.global?.['core:version'] !== 'string' || !Array.isArray(meta.captures ?? [])) {
    throw invalidArgument('SigMF recording', name, 'it has no global object with core:version');
  }
  const type = meta.global['core:datatype'];
  if (!(sigmfTypes as readonly string[]).includes(type)) {
    throw invalidArgument(`core:datatype of ${name}`, type, `use ${sigmfTypes.join(' or ')}`);
  }
  return { global: meta.global, captures: meta.captures ?? [], annotations: meta.annotations ?? [] };
}

/**
 * Samples of a recording.
 * @param start first sample, @param count how many; default: all
 * @returns 2 * count numbers re, im, ... @throws SemlinkError INVALID_ARGUMENT when the file is shorter
 */
export async function readSigmfSamples(
  file: string,
  { global }: SigmfMeta,
  start = 0,
  count?: number,
): Promise<Float32Array> {
  const name = `${sigmfName(file)}${dataExtension}`;
  const type = global['core:datatype'] as SigmfType;
  const width = sampleBytes(type);
  const handle = await open(name).catch(() => {
    throw notFound('samples of the recording', name, 'there is no such file');
  });
  try {
    const there = Math.floor((await handle.stat()).size / width);
    const wanted = count ?? Math.max(0, there - start);
    if (start + wanted > there) throw invalidArgument(`samples of ${name}`, there, `${start + wanted} are needed`);
    const bytes = Buffer.allocUnsafe(wanted * width);
    await handle.read(bytes, 0, bytes.length, start * width);
    return samplesFromBytes(type, bytes, global['semlink:scale'] ?? plainScale);
  } finally {
    await handle.close();
  }
}

/**
 * The link that is meant: the one named, or the only one.
 * @throws SemlinkError INVALID_ARGUMENT when there is no such link, or more than one and none named
 */
export function linkOfRecording(frames: readonly SigmfFrame[], linkId?: string): string {
  const links = [...new Set(frames.map((frame) => frame['semlink:link']).filter((one) => one !== undefined))];
  const link = linkId ?? links[0];
  if (link !== undefined && (linkId !== undefined || links.length === 1) && links.includes(link)) return link;
  const known = links.slice(0, 5).join(', ') || 'none';
  throw invalidArgument('link of the recording', linkId, `name one as FILE.sigmf-meta#LINK; it has ${known}`);
}

/**
 * The gains that a link had while it was recorded, as a channel trace: the `trace` model replays them. Point times are
 * the link's own, position / sample rate, from 0.
 *
 * @param linkId default: the one link there is
 * @throws SemlinkError INVALID_ARGUMENT when there is no such link, more than one and none named, or no gains
 */
export function traceOfRecording(meta: SigmfMeta, linkId?: string): Trace {
  const link = linkOfRecording(meta.annotations, linkId);
  const rate = meta.global['core:sample_rate'] ?? 1e6;
  const timesSeconds: number[] = [];
  const values: number[] = [];
  let origin: number | undefined;
  for (const frame of meta.annotations) {
    const gains = frame['semlink:gains'];
    if (frame['semlink:link'] !== link || !gains) continue;
    const position = frame['semlink:position'] ?? 0;
    origin ??= position;
    const step = frame['semlink:block_symbols'] ?? frame['core:sample_count'];
    for (let block = 0; 2 * block < gains.length; block++) {
      const time = (position - origin + block * step) / rate;
      // Frames of a link that started over, or of one block, come at times that have passed.
      if (timesSeconds.length > 0 && time <= timesSeconds.at(-1)!) continue;
      timesSeconds.push(time);
      values.push(gains[2 * block]!, gains[2 * block + 1]!);
    }
  }
  if (timesSeconds.length === 0) throw invalidArgument('gains of the recording', 'none', 'record the received side');
  return { kind: 'gain', timesSeconds, values };
}
