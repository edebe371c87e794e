import { createHash } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import {
  dataExtension,
  metaExtension,
  type SigmfFrame,
  type SigmfGlobal,
  type SigmfType,
  samplesToBytes,
} from '../../../shared/channel/sigmf.js';

/** Bytes that may wait for the disk. */
const mostWaiting = 16 * 2 ** 20;

/**
 * Writes one SigMF recording as it comes, in constant memory: annotations go to the file at once, what stands in `global`
 * comes last.
 */
export class SigmfWriter {
  readonly #type: SigmfType;
  readonly #scale: number;
  readonly #data: WriteStream;
  readonly #meta: WriteStream;
  readonly #hash = createHash('sha512');
  #error: Error | undefined;
  #samples = 0;
  #frames = 0;
  #missing = 0;

  /**
   * @param name path without extension; files that are there are replaced
   * @param scale of `ci16_le`
   */
  constructor(name: string, type: SigmfType, scale: number) {
    this.#type = type;
    this.#scale = scale;
    this.#data = createWriteStream(`${name}${dataExtension}`);
    this.#meta = createWriteStream(`${name}${metaExtension}`);
    const failed = (error: Error): void => {
      this.#error ??= error;
    };
    this.#data.on('error', failed);
    this.#meta.on('error', failed);
    const capture = { 'core:sample_start': 0, 'core:datetime': new Date().toISOString() };
    this.#meta.write(`{"captures": [${JSON.stringify(capture)}],\n"annotations": [`);
  }

  /** Why nothing is written any more. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Bytes of samples. */
  get bytes(): number {
    return this.#data.bytesWritten + this.#data.writableLength;
  }

  /** Adds a frame. False: the disk is too slow or broken, and the frame is left out. */
  write(samples: Float32Array, frame: Omit<SigmfFrame, 'core:sample_start' | 'core:sample_count'>): boolean {
    const waiting = this.#data.writableLength + this.#meta.writableLength;
    if (this.#error || waiting > mostWaiting) {
      this.#missing++;
      return false;
    }
    const bytes = samplesToBytes(this.#type, samples, this.#scale);
    this.#hash.update(bytes);
    this.#data.write(bytes);
    const count = samples.length / 2;
    const annotation: SigmfFrame = { 'core:sample_start': this.#samples, 'core:sample_count': count, ...frame };
    this.#meta.write(`${this.#frames === 0 ? '\n' : ',\n'}${JSON.stringify(annotation)}`);
    this.#samples += count;
    this.#frames++;
    return true;
  }

  /** Ends both files; resolves when they are whole. @throws Error of the file system */
  async close(global: Omit<SigmfGlobal, 'core:datatype'>): Promise<void> {
    const whole: SigmfGlobal = {
      'core:datatype': this.#type,
      ...global,
      'core:sha512': this.#hash.digest('hex'),
      'core:num_channels': 1,
      ...(this.#type === 'ci16_le' && { 'semlink:scale': this.#scale }),
      ...(this.#missing > 0 && { 'semlink:missing_frames': this.#missing }),
    };
    this.#data.end();
    this.#meta.end(`\n],\n"global": ${JSON.stringify(whole, null, 1)}}\n`);
    await Promise.all([finished(this.#data), finished(this.#meta)]);
  }
}
