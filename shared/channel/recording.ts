import { existsSync, readFileSync, statSync } from 'node:fs';
import { invalidArgument, notFound } from '../rpc/errors.js';
import {
  dataExtension,
  metaExtension,
  type SigmfFrame,
  type SigmfMeta,
  type SigmfType,
  sampleBytes,
  samplesFromBytes,
} from './sigmf.js';
import { linkOfRecording, parseSigmfMeta, plainScale, sigmfName } from './sigmf-file.js';

/** Largest file that is read, bytes. */
const greatestBytes = 512 * 2 ** 20;
/** Most symbols of a link: 256 MiB. */
const greatestSymbols = 2 ** 25;

/** One frame of a link as it was recorded. */
export interface RecordedFrame {
  /** Of the link's frames in the recording, from 0. */
  readonly number: number;
  /** First symbol within the link's symbols. */
  readonly offset: number;
  /** k. */
  readonly count: number;
  /** re, im, ...: one gain per `blockSymbols` symbols. */
  readonly gains: readonly number[];
  readonly blockSymbols: number;
  /** N0. */
  readonly noisePower: number;
  readonly snrDb: number;
  readonly erased: boolean;
}

/** What one link received while it was recorded: its frames one after the other, without what lay between them. */
export interface Recording {
  /** How many. */
  readonly symbols: number;
  /** 2 * symbols numbers re, im, ... */
  readonly received: Float32Array;
  /** None: a recording of somebody else, which is one run of samples. */
  readonly frames: readonly RecordedFrame[];
  /** Where what was sent was recorded too: per symbol the gain h, and the rest n = y - h s. */
  readonly channel?: { readonly gains: Float32Array; readonly noise: Float32Array };
}

/** By file, for as long as a channel uses it: many links may replay one recording. */
const loaded = new Map<string, { version: string; recording: WeakRef<Recording> }>();

/**
 * Reads a recording of the channel-emulator, with the files that it goes on in (`air-000001-...` after `air-000000-...`) and
 * with the side that was sent where it lies beside it; or one of somebody else, whose samples are taken as they are.
 *
 * Read in one go, for a channel must be there when it is set: the thread that serves waits as long as the disk takes.
 *
 * @param file NAME.sigmf-meta, or NAME.sigmf-meta#LINK where there are several links
 * @throws SemlinkError NOT_FOUND, or INVALID_ARGUMENT with the frame or sample that is wrong
 */
export function loadRecording(file: string): Recording {
  const [, meta, linkId] = /^(.*\.sigmf-meta)(?:#(.*))?$/.exec(file) ?? [];
  if (meta === undefined) throw invalidArgument('recording', file, 'name FILE.sigmf-meta or FILE.sigmf-meta#LINK');
  const names = partsFrom(sigmfName(meta));
  const version = names.map(versionOf).join(' ');
  const known = loaded.get(file);
  const kept = known?.version === version ? known.recording.deref() : undefined;
  if (kept) return kept;
  const recording = read(names, linkId);
  for (const [name, { recording: one }] of loaded) if (!one.deref()) loaded.delete(name);
  loaded.set(file, { version, recording: new WeakRef(recording) });
  return recording;
}

/** The file and those that follow it. */
function partsFrom(name: string): string[] {
  const [, front, number, back] = /^(.*air-)(\d{6})(-\w+)$/.exec(name) ?? [];
  const names = [name];
  if (number === undefined) return names;
  for (let next = Number(number) + 1; ; next++) {
    const following = `${front}${String(next).padStart(6, '0')}${back}`;
    if (!existsSync(`${following}${metaExtension}`)) return names;
    names.push(following);
  }
}

function versionOf(name: string): string {
  const stat = statSync(`${name}${metaExtension}`, { throwIfNoEntry: false });
  if (!stat) throw notFound('SigMF recording', `${name}${metaExtension}`, 'there is no such file');
  return `${stat.mtimeMs}/${stat.size}`;
}

function read(names: readonly string[], linkId: string | undefined): Recording {
  const parts = names.map((name) => ({ name, meta: readMeta(name) }));
  const all = parts.flatMap(({ meta }) => meta.annotations);
  if (!all.some((frame) => frame['semlink:link'] !== undefined)) return foreign(parts);
  const link = linkOfRecording(all, linkId);
  const mine = (meta: SigmfMeta) => meta.annotations.filter((frame) => frame['semlink:link'] === link);
  const symbols = parts.reduce((sum, { meta }) => sum + mine(meta).reduce((n, f) => n + f['core:sample_count'], 0), 0);
  checkCount(symbols, names[0]!);
  const received = new Float32Array(2 * symbols);
  const sentNames = names.map((name) => name.replace(/-received$/, '-sent'));
  const hasSent = sentNames.every((name, i) => name !== names[i] && existsSync(`${name}${metaExtension}`));
  const sent = hasSent ? new Float32Array(2 * symbols) : undefined;
  const frames: RecordedFrame[] = [];
  let offset = 0;
  for (const [i, { name, meta }] of parts.entries()) {
    const samples = readSamples(name, meta);
    const other = sent && readSamples(sentNames[i]!, readMeta(sentNames[i]!));
    if (other && other.length !== samples.length) {
      throw invalidArgument(
        `samples of ${sentNames[i]}`,
        other.length / 2,
        `the received side has ${samples.length / 2}`,
      );
    }
    for (const annotation of mine(meta)) {
      const { 'core:sample_start': start, 'core:sample_count': count } = annotation;
      if (!(Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count >= 1)) {
        throw invalidArgument(`a frame of ${name}`, `${start} + ${count}`, 'its samples must be counted from 0');
      }
      if (2 * (start + count) > samples.length) {
        throw invalidArgument(`samples of ${name}`, samples.length / 2, `${start + count} are needed; was it cut off?`);
      }
      frames.push(frameFrom(annotation, frames.length, offset, name));
      received.set(samples.subarray(2 * start, 2 * (start + count)), 2 * offset);
      sent?.set(other!.subarray(2 * start, 2 * (start + count)), 2 * offset);
      offset += count;
    }
  }
  return { symbols, received, frames, ...(sent && { channel: channelOf(sent, received, frames) }) };
}

function foreign(parts: readonly { name: string; meta: SigmfMeta }[]): Recording {
  const [{ name, meta }] = parts as [{ name: string; meta: SigmfMeta }];
  const received = readSamples(name, meta);
  checkCount(received.length / 2, name);
  return { symbols: received.length / 2, received, frames: [] };
}

function checkCount(symbols: number, name: string): void {
  if (symbols >= 1 && symbols <= greatestSymbols) return;
  throw invalidArgument(
    `symbols of ${name}`,
    symbols,
    `a link can replay 1 to ${greatestSymbols}; split the recording`,
  );
}

function frameFrom(annotation: SigmfFrame, number: number, offset: number, name: string): RecordedFrame {
  const count = annotation['core:sample_count'];
  const { 'semlink:gains': gains = [], 'semlink:noise_power': noisePower, 'semlink:snr_db': snrDb } = annotation;
  const blockSymbols = annotation['semlink:block_symbols'] ?? count;
  const sound =
    gains.every(Number.isFinite) &&
    blockSymbols >= 1 &&
    gains.length === 2 * Math.ceil(count / blockSymbols) &&
    noisePower !== undefined &&
    noisePower >= 0 &&
    snrDb !== undefined;
  if (!sound) {
    throw invalidArgument(`frame ${number} of ${name}`, annotation, 'its gains and noise must be as they are recorded');
  }
  const erased = annotation['semlink:erased'] === true;
  return { number, offset, count, gains, blockSymbols, noisePower, snrDb, erased };
}

/** h and n = y - h s of every symbol. What was lost has neither. */
function channelOf(sent: Float32Array, received: Float32Array, frames: readonly RecordedFrame[]) {
  const gains = new Float32Array(sent.length);
  const noise = new Float32Array(sent.length);
  for (const frame of frames) {
    if (frame.erased) continue;
    for (let i = 0; i < frame.count; i++) {
      const at = 2 * (frame.offset + i);
      const block = 2 * Math.floor(i / frame.blockSymbols);
      const [re, im] = [frame.gains[block]!, frame.gains[block + 1]!];
      gains[at] = re;
      gains[at + 1] = im;
      noise[at] = received[at]! - (re * sent[at]! - im * sent[at + 1]!);
      noise[at + 1] = received[at + 1]! - (re * sent[at + 1]! + im * sent[at]!);
    }
  }
  return { gains, noise };
}

function readMeta(name: string): SigmfMeta {
  return parseSigmfMeta(contents(`${name}${metaExtension}`).toString('utf8'), `${name}${metaExtension}`);
}

/** All samples of a file. @throws SemlinkError INVALID_ARGUMENT for one that is not finite */
function readSamples(name: string, { global }: SigmfMeta): Float32Array {
  const type = global['core:datatype'] as SigmfType;
  const bytes = contents(`${name}${dataExtension}`);
  const whole = bytes.subarray(0, bytes.length - (bytes.length % sampleBytes(type)));
  const samples = samplesFromBytes(type, whole, global['semlink:scale'] ?? plainScale);
  const bad = samples.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw invalidArgument(`sample ${bad >> 1} of ${name}`, samples[bad], 'every sample must be finite');
  return samples;
}

function contents(file: string): Buffer {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw notFound('file of the recording', file, 'there is no such file');
  if (size > greatestBytes) throw invalidArgument(`size of ${file}`, size, `use at most ${greatestBytes} bytes`);
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalidArgument('file of the recording', file, `it cannot be read: ${(error as Error).message}`);
  }
}
