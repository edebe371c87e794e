import { type ChannelSettings, createChannelModel } from '../channel/channel-config.js';
import { LinkRandom } from '../channel/link-random.js';
import type { ModelSession } from '../tensor/session.js';
import { equalise } from './equaliser.js';
import { InformationBound } from './information-bound.js';
import type { NetworkSpec } from './network.js';
import { limitPeak, type PowerConstraint } from './power-constraint.js';
import type { StagedEncoder } from './staged-encoder.js';

/** A codec pair loaded in this process. */
export interface CodecPair {
  network: NetworkSpec;
  encoder: ModelSession | StagedEncoder;
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
  /** `snrDb` is the average Es/N0, or the peak SNR where the power is limited by its peak. */
  channel: ChannelSettings;
  channelUses: number;
  /** Default: average. */
  power?: PowerConstraint;
  /** Seed of this point's channel; default: that of the options. */
  seed?: number;
}

/** What was seen at a point. */
export interface PointResult {
  /** Share of images answered right, 0 to 1. */
  accuracy: number;
  /** Upper bound of the information received of an image, bits; see information-bound.ts. */
  semanticBits: number;
  /** Channel uses that hold 99 % of the energy, of the k. */
  occupiedUses: number;
}

export interface EvaluationOptions {
  /** Seed of the channels; each point is a link of its own. */
  seed: number;
  /** Images of one session call. Default 250. */
  batch?: number;
  /** Called after each batch with how many points' worth of images are done. */
  onProgress?: (done: number, total: number) => void;
}

/** Accuracy at each point, 0 to 1, in the order given; see `measureLink`. */
export async function evaluateLink(
  pair: CodecPair,
  images: LabelledImages,
  points: readonly EvaluationPoint[],
  options: EvaluationOptions,
): Promise<number[]> {
  return (await measureLink(pair, images, points, options)).map(({ accuracy }) => accuracy);
}

/**
 * Sends every image at each point: the published graphs, the real channel models and the receiver's own equaliser, in
 * this process and thread. Encodings are shared by points that differ in channel model and seed alone; what of them does
 * not depend on the channel at all is shared by all points where the encoder is staged.
 *
 * @returns one result a point, in the order given
 */
export async function measureLink(
  pair: CodecPair,
  images: LabelledImages,
  points: readonly EvaluationPoint[],
  options: EvaluationOptions,
): Promise<PointResult[]> {
  const batch = options.batch ?? 250;
  const { width, height, maxChannelUses } = pair.network;
  const pixels = width * height * 3;
  const links = points.map((point) => linkOf(point, options.seed));
  const correct = new Array<number>(points.length).fill(0);
  const groups = new Map<string, number[]>();
  points.forEach(({ channel, channelUses }, i) => {
    const key = `${channel.snrDb} ${channelUses}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  let done = 0;
  for (let start = 0; start < images.count; start += batch) {
    const count = Math.min(batch, images.count - start);
    const labels = images.labels.subarray(start, start + count);
    const encode = prepare(pair.encoder, images.images.subarray(start * pixels, (start + count) * pixels), count);
    for (const members of groups.values()) {
      const { channel, channelUses: k } = points[members[0]!]!;
      const symbols = encode(channel.snrDb, k);
      for (const point of members) {
        const received = links[point]!.send(symbols, count, 2 * maxChannelUses);
        const told = new Float32Array(count).fill(k);
        correct[point]! += countCorrect(pair.decoder.run(count, [received.symbols, received.snrDb, told]), labels);
      }
      done += (members.length * count) / images.count;
      options.onProgress?.(Math.min(done, points.length), points.length);
      // Lets timers and signals through between session calls.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return points.map((_, i) => ({
    accuracy: correct[i]! / images.count,
    semanticBits: links[i]!.bound.bits(),
    occupiedUses: links[i]!.bound.occupied(),
  }));
}

function prepare(encoder: CodecPair['encoder'], rgb: Uint8Array, count: number) {
  if ('prepare' in encoder) return encoder.prepare(rgb, count);
  return (snrDb: number, k: number) =>
    encoder.run(count, [rgb, new Float32Array(count).fill(snrDb), new Float32Array(count).fill(k)]);
}

/** The air of one point: takes the encoder's output, gives the decoder's input. */
function linkOf({ channel, channelUses, power = 'average', seed }: EvaluationPoint, defaultSeed: number) {
  const model = createChannelModel(channel);
  const name = `evaluate:${JSON.stringify(channel)}:${channelUses}${power === 'peak' ? ':peak' : ''}`;
  const random = new LinkRandom(BigInt(seed ?? defaultSeed), name);
  const bound = new InformationBound(channelUses);
  let position = 0;
  const send = (symbols: Float32Array, count: number, stride: number) => {
    const received = new Float32Array(count * stride);
    const snrDb = new Float32Array(count);
    const air = new Float32Array(2 * channelUses);
    for (let i = 0; i < count; i++) {
      const emitted = symbols.subarray(i * stride, i * stride + 2 * channelUses);
      const sent = power === 'peak' ? limitPeak(emitted) : emitted;
      const effect = model.apply(sent, { random, position }, air);
      bound.add(sent, effect);
      position += channelUses;
      snrDb[i] = equalise(air, effect, received.subarray(i * stride, (i + 1) * stride));
    }
    return { symbols: received, snrDb };
  };
  return { bound, send };
}

function countCorrect(probabilities: Float32Array, labels: Uint8Array): number {
  const classes = probabilities.length / labels.length;
  return labels.reduce((sum, label, i) => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    return sum + (row.indexOf(Math.max(...row)) === label ? 1 : 0);
  }, 0);
}
