import { equalise, type FrameChannel } from '../../shared/codec/equaliser.js';
import type { BatchCodec } from '../../shared/codec/served-models.js';

/** Received symbols of one image. */
export interface DecodeJob {
  /** y = h s + n, 2k numbers, interleaved re and im. */
  received: Float32Array;
  channel: FrameChannel;
}

/** The answer for one image. */
export interface Decoded {
  /** Most probable class. */
  label: number;
  /** Its probability. */
  confidence: number;
  /** Of every class; sum 1. */
  probabilities: Float32Array;
}

/** Symbols in, class probabilities out. */
export const symbolCodec: BatchCodec<DecodeJob, Decoded> = {
  role: 'decoder',
  bytesOf: (job) => job.received.byteLength,
  gather: (jobs, { network }, inputs) => {
    const [symbols, snrDb, channelUses] = inputs as [Float32Array, Float32Array, Float32Array];
    const width = 2 * network.maxChannelUses;
    symbols.fill(0);
    for (let i = 0; i < jobs.length; i++) {
      const { received, channel } = jobs[i]!;
      snrDb[i] = equalise(received, channel, symbols.subarray(i * width, (i + 1) * width));
      channelUses[i] = received.length / 2;
    }
  },
  result: (probabilities) => {
    let label = 0;
    for (let i = 1; i < probabilities.length; i++) if (probabilities[i]! > probabilities[label]!) label = i;
    return { label, confidence: probabilities[label]!, probabilities };
  },
  example: ({ network }) => ({
    received: new Float32Array(2 * network.maxChannelUses),
    channel: { gains: [1, 0], blockSymbols: network.maxChannelUses, noisePower: 0.1 },
  }),
};
