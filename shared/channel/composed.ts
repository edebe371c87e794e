import { addNoise } from './awgn.js';
import type { Fading } from './fading.js';
import { listGains } from './gain-list.js';
import type { Loss } from './loss.js';
import { type ChannelEffect, type ChannelModel, type LinkState, noisePowerOf } from './model.js';
import type { Oscillator } from './oscillator.js';
import type { Shadowing } from './shadowing.js';

/** The parts of a channel; what is absent does nothing. */
export interface ChannelParts {
  oscillator?: Oscillator;
  fading: Fading;
  shadowing?: Shadowing;
  loss?: Loss;
}

/**
 * A channel of parts, in this order: oscillator (the symbols turn), fading, shadowing (an amplitude), noise, loss:
 * y = lost ? 0 : a h(s exp(j phi)) + n with h(.) a product or a convolution.
 *
 * The gains told are a h exp(j phi_0), phi_0 the oscillator's phase at the frame's first symbol. A lost symbol has gain 0
 * and is 0; of a lost frame `erased` is true and all are 0.
 */
export class ComposedChannel implements ChannelModel {
  readonly name: string;
  readonly snrDb: number;
  readonly #noisePower: number;
  readonly #parts: ChannelParts;

  constructor(name: string, snrDb: number, parts: ChannelParts) {
    this.name = name;
    this.snrDb = snrDb;
    this.#noisePower = noisePowerOf(snrDb);
    this.#parts = parts;
  }

  apply(symbols: Float32Array, link: LinkState, out: Float32Array): ChannelEffect {
    const k = symbols.length / 2;
    const noisePower = this.#noisePower;
    const { oscillator, fading, shadowing, loss } = this.#parts;
    const gains = room(0, 2 * k);
    if (out !== symbols) out.set(symbols);
    let phase: [number, number] = [1, 0];
    if (oscillator && k > 0) {
      const phasors = room(1, 2 * k);
      oscillator.phasors(link, k, phasors);
      link.random.kernel.multiply(out, out, phasors);
      phase = [phasors[0]!, phasors[1]!];
    }
    if ('disperse' in fading) fading.disperse(out, link, gains);
    else fading.fade(link, k, gains);
    if (shadowing) {
      const amplitudes = room(1, 2 * k).subarray(0, k);
      shadowing.amplitudes(link, k, amplitudes);
      scale(gains, amplitudes);
      if ('disperse' in fading) scale(out, amplitudes);
    }
    if (!('disperse' in fading)) link.random.kernel.multiply(out, out, gains);
    addNoise(out, link, noisePower, out);
    if (oscillator) turn(gains, phase);
    if (loss && lose(loss, link, k, out, gains)) {
      return { gains: [0, 0], blockSymbols: k, noisePower, erased: true };
    }
    return { ...listGains(gains, k), noisePower };
  }
}

/** Takes away what is lost. True: the frame. */
function lose(loss: Loss, link: LinkState, k: number, out: Float32Array, gains: Float32Array): boolean {
  if (lostSymbols.length < k) lostSymbols = new Uint8Array(2 * k);
  const count = loss.unit === 'frame' ? Math.min(k, 1) : k;
  loss.lost(link, count, lostSymbols);
  if (loss.unit === 'frame') {
    if (lostSymbols[0] === 0) return false;
    out.fill(0);
    return true;
  }
  for (let i = 0; i < k; i++) {
    if (lostSymbols[i] === 0) continue;
    out.fill(0, 2 * i, 2 * i + 2);
    gains.fill(0, 2 * i, 2 * i + 2);
  }
  return false;
}

function scale(numbers: Float32Array, amplitudes: Float32Array): void {
  for (let i = 0; i < amplitudes.length; i++) {
    numbers[2 * i]! *= amplitudes[i]!;
    numbers[2 * i + 1]! *= amplitudes[i]!;
  }
}

function turn(numbers: Float32Array, [re, im]: [number, number]): void {
  for (let i = 0; i < numbers.length; i += 2) {
    const a = numbers[i]!;
    const b = numbers[i + 1]!;
    numbers[i] = a * re - b * im;
    numbers[i + 1] = a * im + b * re;
  }
}

let lostSymbols = new Uint8Array(256);
/** Room for a frame's numbers, shared by all channels: none gives way to another while it uses it. */
const rooms = [new Float32Array(512), new Float32Array(512)];

function room(which: 0 | 1, length: number): Float32Array {
  if (rooms[which]!.length < length) rooms[which] = new Float32Array(2 * length);
  return rooms[which]!.subarray(0, length);
}
