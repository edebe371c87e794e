import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { ChannelEffect } from '../../../shared/channel/model.js';
import { type SigmfFrame, type SigmfType, sigmfVersion } from '../../../shared/channel/sigmf.js';
import { SigmfWriter } from './sigmf-writer.js';

export const recordedSides = ['received', 'sent', 'both'] as const;

export interface AirRecorderOptions {
  /** Created when it is not there. */
  folder: string;
  side: (typeof recordedSides)[number];
  type: SigmfType;
  /** `ci16_le`: the value that 32767 stands for; larger components saturate. */
  fullScale: number;
  /** A recording goes on in new files after so many bytes of samples. */
  fileBytes: number;
  /** Recording ends after so many bytes of samples, all files and sides together. */
  limitBytes: number;
  sampleRateHz: number;
  seed: bigint;
  /** Version of this software. */
  version: string;
  /** Something a person should know: recording ended, the disk fails. */
  onState?: (sentence: string) => void;
}

/** A frame as the air had it. */
export interface AirFrame {
  linkId: string;
  sequence: bigint;
  /** Symbols the link had carried before. */
  position: number;
  model: string;
  snrDb: number;
  timeUnixNano: bigint;
}

/**
 * Records the air as SigMF: symbols of all links one after the other as they pass, an annotation for each frame. Files
 * are `air-000000-received` and `air-000000-sent`, then `air-000001-...`; the same sample of both is the same symbol.
 *
 * The air never waits for the disk: a frame for which there is no room is left out of all sides and counted. A recording
 * whose process is killed has no end and is no whole JSON; samples and annotations up to then are in it.
 */
export class AirRecorder {
  readonly #options: AirRecorderOptions;
  readonly #scale: number;
  #writers: { side: 'sent' | 'received'; writer: SigmfWriter }[] = [];
  #file = -1;
  #closedBytes = 0;
  #ended = false;
  #closing: Promise<unknown> = Promise.resolve();

  /** @throws Error when the folder cannot be made */
  constructor(options: AirRecorderOptions) {
    this.#options = options;
    this.#scale = Math.fround(options.fullScale / 32_767);
    mkdirSync(options.folder, { recursive: true });
    this.#next();
  }

  /** What `record` wants of a frame's symbols before the air changes them in place. */
  copySent(symbols: Float32Array): Float32Array | undefined {
    return this.#ended || this.#options.side === 'received' ? undefined : symbols.slice();
  }

  /** @param sent what `copySent` gave */
  record(frame: AirFrame, sent: Float32Array | undefined, received: Float32Array, effect: ChannelEffect): void {
    if (this.#ended) return;
    const annotation = annotationOf(frame, effect);
    for (const { side, writer } of this.#writers) {
      if (side === 'sent' && !sent) continue;
      const whole = writer.write(side === 'sent' ? sent! : received, annotation);
      if (whole) continue;
      if (writer.error) this.#end(`recording ended: ${writer.error.message}`);
      return;
    }
    let bytes = 0;
    for (const { writer } of this.#writers) bytes += writer.bytes;
    if (this.#closedBytes + bytes >= this.#options.limitBytes) {
      this.#end(`recording ended: it has reached its limit of ${this.#options.limitBytes} bytes`);
    } else if (bytes >= this.#options.fileBytes * this.#writers.length) {
      this.#finish();
      this.#next();
    }
  }

  /** Ends the recording; resolves when its files are whole. */
  async close(): Promise<void> {
    if (!this.#ended) this.#finish();
    this.#ended = true;
    await this.#closing;
  }

  #end(sentence: string): void {
    this.#ended = true;
    this.#finish();
    this.#options.onState?.(sentence);
  }

  #next(): void {
    this.#file++;
    const { folder, side, type } = this.#options;
    const sides = side === 'both' ? (['sent', 'received'] as const) : [side];
    const number = String(this.#file).padStart(6, '0');
    this.#writers = sides.map((one) => ({
      side: one,
      writer: new SigmfWriter(path.join(folder, `air-${number}-${one}`), type, this.#scale),
    }));
  }

  #finish(): void {
    const { sampleRateHz, seed, version, onState } = this.#options;
    for (const { side, writer } of this.#writers) {
      this.#closedBytes += writer.bytes;
      const closed = writer
        .close({
          'core:version': sigmfVersion,
          'core:sample_rate': sampleRateHz,
          'core:recorder': `SemLink channel-emulator ${version}`,
          'core:description': `Complex symbols ${side === 'sent' ? 'before' : 'after'} the air, one annotation a frame.`,
          'core:extensions': [{ name: 'semlink', version: '1.0.0', optional: true }],
          'semlink:side': side,
          'semlink:seed': seed.toString(),
        })
        .catch((error: unknown) => onState?.(`a recording could not be ended: ${String(error)}`));
      this.#closing = Promise.all([this.#closing, closed]);
    }
    this.#writers = [];
  }
}

function annotationOf(
  { linkId, sequence, position, model, snrDb, timeUnixNano }: AirFrame,
  { gains, blockSymbols, noisePower, erased }: ChannelEffect,
): Omit<SigmfFrame, 'core:sample_start' | 'core:sample_count'> {
  return {
    'core:label': linkId,
    'semlink:link': linkId,
    'semlink:sequence': Number(sequence),
    'semlink:position': position,
    'semlink:time_unix_nano': timeUnixNano.toString(),
    'semlink:model': model,
    'semlink:snr_db': snrDb,
    'semlink:noise_power': noisePower,
    'semlink:gains': Array.from(gains),
    'semlink:block_symbols': blockSymbols,
    ...(erased && { 'semlink:erased': true }),
  };
}
