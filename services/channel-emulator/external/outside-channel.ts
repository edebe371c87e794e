import type { ChannelEffect, ChannelModel } from '../../../shared/channel/model.js';

/**
 * A channel that is somewhere else: symbols go out, and what comes back some time later is taken as received. It has a
 * state that this emulator does not know, so unlike a `ChannelModel` it is not re-creatable from a seed and a position.
 */
export interface OutsideChannel {
  /** As in `ChannelState.model`. */
  readonly name: string;
  /** Average Es/N0 in dB, as declared: the emulator cannot know. */
  readonly snrDb: number;
  /**
   * Sends k symbols; frames come back in the order of the calls.
   * @param symbols 2k numbers re, im, ...; read before this returns
   * @param out 2k numbers: the received symbols, once the promise resolves; may be `symbols` itself
   * @returns rejects with a SemlinkError for this frame: UNAVAILABLE, DEADLINE_EXCEEDED, DATA_LOSS, RESOURCE_EXHAUSTED
   */
  applyLater(symbols: Float32Array, out: Float32Array): Promise<ChannelEffect>;
  /** No more frames come from here. */
  close(): void;
}

export function isOutside(model: ChannelModel | OutsideChannel): model is OutsideChannel {
  return 'applyLater' in model;
}
