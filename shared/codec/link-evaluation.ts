import { type ChannelSettings, createChannelModel } from '../channel/channel-config.js';
import { LinkRandom } from '../channel/link-random.js';
import type { ModelSession } from '../tensor/session.js';
import { equalise } from './equaliser.js';
import type { NetworkSpec } from './network.js';

/** A codec pair loaded in this process. */
export interface CodecPair {
  network: NetworkSpec;
  encoder: ModelSession;
  decoder: ModelSession;
}

/** Images with their right answers: count * height * width * 3 bytes, rows of R, G, B. */
export interface LabelledImages {
  images: Uint8Array;
  labels: Uint8Array;
  count: number;
}

/** One point: every image is sent once with k channel uses over this channel. */
export interface EvaluationPoint {
  channel: ChannelSettings;
  channelUses: number;
}

export interface EvaluationOptions {
  /** Seed of the channels; each point is a link of its own. */
  seed: number;
  /** Images of one session call. Default 250. */
  batch?: number;
  /** Called after each point with how many are done. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Share of images answered right at each point, in the order given: the published graphs, the real channel models and
 * the receiver's own equaliser, in this process and thread. Encodings are shared by points that differ in the channel
 * model alone.
 *
 * @returns 0 to 1 a point
 */
export async function evaluateLink(
  pair: CodecPair,
  images: LabelledImages,
  points: readonly EvaluationPoint[],
  options: EvaluationOptions,
): Promise<number[]> {
  const batch = options.batch ?? 250;
  const correct = new Array<number>(points.length).fill(0);
  const groups = new Map<string, number[]>();
  points.forEach(({ channel, channelUses }, i) => {
    const key = `${channel.snrDb} ${channelUses}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const { width, height, maxChannelUses } = pair.network;
  const pixels = width * height * 3;
  let done = 0;
  for (const members of groups.values()) {
    const { channel, channelUses } = points[members[0]!]!;
    const links = members.map((i) => linkOf(points[i]!, options.seed));
    for (let start = 0; start < images.count; start += batch) {
      const count = Math.min(batch, images.count - start);
      const symbols = pair.encoder.run(count, [
        images.images.subarray(start * pixels, (start + count) * pixels),
        new Float32Array(count).fill(channel.snrDb),
        new Float32Array(count).fill(channelUses),
      ]);
      members.forEach((point, at) => {
        const received = links[at]!(symbols, count, 2 * maxChannelUses);
        const probabilities = pair.decoder.run(count, [
          received.symbols,
          received.snrDb,
          new Float32Array(count).fill(channelUses),
        ]);
        correct[point]! += countCorrect(probabilities, images.labels.subarray(start, start + count));
      });
      // Lets timers and signals through between session calls.
      await new Promise((resolve) => setImmediate(resolve));
    }
    done += members.length;
    options.onProgress?.(done, points.length);
  }
  return correct.map((n) => n / images.count);
}

/** The air of one point: takes the encoder's output, gives the decoder's input. */
function linkOf({ channel, channelUses }: EvaluationPoint, seed: number) {
  const model = createChannelModel(channel);
  const random = new LinkRandom(BigInt(seed), `evaluate:${JSON.stringify(channel)}:${channelUses}`);
  let position = 0;
  return (symbols: Float32Array, count: number, stride: number) => {
    const received = new Float32Array(count * stride);
    const snrDb = new Float32Array(count);
    const air = new Float32Array(2 * channelUses);
    for (let i = 0; i < count; i++) {
      const sent = symbols.subarray(i * stride, i * stride + 2 * channelUses);
      const effect = model.apply(sent, { random, position }, air);
      position += channelUses;
      snrDb[i] = equalise(air, effect, received.subarray(i * stride, (i + 1) * stride));
    }
    return { symbols: received, snrDb };
  };
}

function countCorrect(probabilities: Float32Array, labels: Uint8Array): number {
  const classes = probabilities.length / labels.length;
  return labels.reduce((sum, label, i) => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    return sum + (row.indexOf(Math.max(...row)) === label ? 1 : 0);
  }, 0);
}
