import { Code, invalidArgument, SemlinkError } from '../rpc/errors.js';
import { listGains } from './gain-list.js';
import { type ChannelEffect, type ChannelModel, type LinkState, noisePowerOf } from './model.js';
import type { RecordedFrame, Recording } from './recording.js';

/**
 * What of a recording is replayed:
 * - `samples`: the received samples themselves, bit for bit, with the gains, N0 and losses that were recorded. What is sent
 *   is ignored; who sends the frames that were sent gets exactly what arrived then. Frames must be as long as recorded.
 * - `channel`: what the air did, done to what is sent now: y = h s + n with the recorded gains h and
 *   n = y_recorded - h s_recorded, so noise, interference and distortion as they were. Frames of any length.
 */
export const replayModes = ['samples', 'channel'] as const;
export type ReplayMode = (typeof replayModes)[number];

/** A recording that takes the place of the air. */
export interface ReplaySettings {
  /** `NAME.sigmf-meta`, or `NAME.sigmf-meta#LINK` where it has several links; on the machine of the channel-emulator. */
  file: string;
  mode: ReplayMode;
  /** The recording starts over at its end; otherwise later frames fail with OUT_OF_RANGE. */
  loop: boolean;
  /** Position of the link, in symbols, at which the recording begins. Default: where the link is when it is set, else 0. */
  start?: number;
}

/** @throws SemlinkError INVALID_ARGUMENT naming the setting, its value and what is allowed */
export function checkReplay({ file, mode, start = 0 }: ReplaySettings): void {
  if (!/\.sigmf-meta(#.+)?$/.test(file)) {
    throw invalidArgument('replay.file', file, 'name a recording, FILE.sigmf-meta or FILE.sigmf-meta#LINK');
  }
  if (!replayModes.includes(mode)) throw invalidArgument('replay.mode', mode, `use ${replayModes.join(' or ')}`);
  if (!(Number.isSafeInteger(start) && start >= 0)) {
    throw invalidArgument('replay.start', start, 'use a position in symbols, 0 to 2^53');
  }
}

/**
 * The air of a recording. Symbol p - start of the recording meets the symbol at position p of the link, so like every
 * channel it is a function of the position alone. A frame that is refused does not move its link on.
 */
export class ReplayChannel implements ChannelModel {
  readonly name = 'replay';
  readonly snrDb: number;
  readonly #recording: Recording;
  readonly #settings: ReplaySettings;
  readonly #noisePower: number;

  /**
   * @param snrDb what a recording of somebody else is taken to have, which says nothing of gains and noise
   * @throws SemlinkError INVALID_ARGUMENT when `channel` is wanted and what was sent was not recorded
   */
  constructor(recording: Recording, settings: ReplaySettings, snrDb: number) {
    this.#recording = recording;
    this.#settings = settings;
    this.#noisePower = noisePowerOf(snrDb);
    this.snrDb = recording.frames[0]?.snrDb ?? snrDb;
    if (settings.mode === 'channel' && !recording.channel) {
      throw invalidArgument(
        'replay.mode',
        settings.mode,
        'what was sent is not in the recording: record with --record-side both, or replay samples',
      );
    }
  }

  /** @throws SemlinkError OUT_OF_RANGE after the end, INVALID_ARGUMENT for a frame that is not as long as the recorded one */
  apply(symbols: Float32Array, link: LinkState, out: Float32Array): ChannelEffect {
    const k = symbols.length / 2;
    const at = this.#place(link.position, k);
    if (this.#settings.mode === 'channel') return this.#applyChannel(symbols, at, out);
    const { received, frames } = this.#recording;
    if (frames.length === 0) {
      for (let i = 0; i < 2 * k; i++) out[i] = received[(2 * at + i) % received.length]!;
      return { gains: [1, 0], blockSymbols: k, noisePower: this.#noisePower };
    }
    const frame = frames[frameAt(frames, at)]!;
    if (frame.offset !== at || frame.count !== k) throw mismatch(frame, at, k);
    out.set(received.subarray(2 * at, 2 * (at + k)));
    const { gains, blockSymbols, noisePower, snrDb, erased } = frame;
    return { gains: [...gains], blockSymbols, noisePower, snrDb, ...(erased && { erased }) };
  }

  #applyChannel(symbols: Float32Array, at: number, out: Float32Array): ChannelEffect {
    const { frames, symbols: length } = this.#recording;
    const { gains: h, noise: n } = this.#recording.channel!;
    const k = symbols.length / 2;
    const gains = new Float32Array(2 * k);
    let power = 0;
    let lost = 0;
    let number = frameAt(frames, at);
    for (let i = 0, j = 2 * at; i < 2 * k; i += 2, j += 2) {
      if (j === 2 * length) {
        j = 0;
        number = 0;
      }
      while (2 * (frames[number]!.offset + frames[number]!.count) <= j) number++;
      power += frames[number]!.noisePower;
      if (frames[number]!.erased) lost++;
      const [re, im] = [symbols[i]!, symbols[i + 1]!];
      const [hRe, hIm] = [h[j]!, h[j + 1]!];
      gains[i] = hRe;
      gains[i + 1] = hIm;
      out[i] = hRe * re - hIm * im + n[j]!;
      out[i + 1] = hRe * im + hIm * re + n[j + 1]!;
    }
    // Where a frame meets several recorded ones, the mean of their noise.
    const noisePower = Math.fround(power / k);
    const snrDb = -10 * Math.log10(noisePower);
    if (lost === k) return { gains: [0, 0], blockSymbols: k, noisePower, snrDb, erased: true };
    return { ...listGains(gains, k), noisePower, snrDb };
  }

  /** Where in the recording a frame of k symbols begins. */
  #place(position: number, k: number): number {
    const { start = 0, loop, file } = this.#settings;
    const { symbols } = this.#recording;
    const at = position - start;
    if (loop) return ((at % symbols) + symbols) % symbols;
    if (at >= 0 && at + k <= symbols) return at;
    throw new SemlinkError(
      Code.OUT_OF_RANGE,
      at < 0
        ? `the recording begins at position ${start} of the link, which is at ${position}; set replay.start`
        : `the recording ${file} has ${symbols} symbols and ${Math.max(0, symbols - at)} are left of them; ` +
            'set it again to start over, or replay.loop=true',
    );
  }
}

function mismatch({ offset, count, number }: RecordedFrame, at: number, k: number): SemlinkError {
  const todo =
    offset === at
      ? `frame ${number} of the recording has ${count}: send frames as they were recorded (policy fixed), or set replay.mode=channel`
      : `the link is ${at - offset} symbols into frame ${number} of the recording: set replay.file again to start at its front, or replay.mode=channel`;
  return invalidArgument('channel_uses', k, todo);
}

/** The frame that holds symbol `at`: the last that begins at or before it. */
function frameAt(frames: readonly RecordedFrame[], at: number): number {
  let low = 0;
  let high = frames.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (frames[middle]!.offset <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
