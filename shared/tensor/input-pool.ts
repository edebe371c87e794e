import { DataType } from './saved-model.js';
import type { InputPort } from './session.js';

/** Inputs of a batch, one array a port. */
export type BatchInputs = (Float32Array | Uint8Array)[];

/**
 * Arrays for the inputs of batches, used again and again. Fresh memory would be cleared and paged in each time, which for
 * a batch of images costs more than all else around its computation.
 */
export class InputPool {
  readonly #ports: InputPort[];
  /** Elements of one frame, by port. */
  readonly #sizes: number[];
  readonly #keep: number;
  readonly #free: ArrayBuffer[][] = [];

  /** @param keep sets of arrays kept for later, at most */
  constructor(ports: InputPort[], keep: number) {
    this.#ports = ports;
    this.#sizes = ports.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    this.#keep = keep;
  }

  /** Arrays for `batch` frames; what is in them is left from earlier ones. */
  take(batch: number): BatchInputs {
    const fitting = this.#free.findIndex((buffers) => this.#capacity(buffers) >= batch);
    const buffers = fitting < 0 ? this.#make(batch) : this.#free.splice(fitting, 1)[0]!;
    return buffers.map((buffer, i) => {
      const length = batch * this.#sizes[i]!;
      return this.#isBytes(i) ? new Uint8Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
    });
  }

  /** Takes arrays back, whoever made them. */
  give(inputs: BatchInputs): void {
    if (inputs.length !== this.#ports.length) return;
    // The newest may be the largest, and small ones serve nobody that wants a large one.
    if (this.#free.length >= this.#keep) this.#free.shift();
    this.#free.push(inputs.map(({ buffer }) => buffer as ArrayBuffer));
  }

  #make(batch: number): ArrayBuffer[] {
    const frames = 2 ** Math.ceil(Math.log2(batch));
    return this.#sizes.map((size, i) => new ArrayBuffer(frames * size * this.#width(i)));
  }

  /** Frames that fit. */
  #capacity(buffers: ArrayBuffer[]): number {
    return Math.min(...buffers.map(({ byteLength }, i) => Math.floor(byteLength / this.#width(i) / this.#sizes[i]!)));
  }

  #isBytes = (port: number) => this.#ports[port]!.type === DataType.uint8;
  #width = (port: number) => (this.#isBytes(port) ? 1 : 4);
}
