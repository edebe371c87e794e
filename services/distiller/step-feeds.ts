import type { NetworkSpec } from '../../shared/codec/network.js';
import type { Feed } from '../../shared/tensor/graph-session.js';
import type { Batch } from './batches.js';
import { airFactors, type BatchChannel } from './channel-in-loop.js';

/** Nodes of the training graph that a step is fed. */
export const FED = {
  rgb: 'rgb',
  labels: 'labels',
  teacher: 'teacher',
  averageSnrDb: 'average_snr_db',
  frameSnrDb: 'frame_snr_db',
  frameSnr: 'frame_snr',
  channelUses: 'channel_uses',
  signal: 'signal',
  disturbance: 'disturbance',
  noiseKey: 'noise_key',
} as const;

/**
 * What a step is fed of a batch and its channels.
 *
 * @param noiseKey seed and counter of the channel noise
 * @param options.grouped whether the graph watches the information bound, which wants |h|^2 / N0
 */
export function stepFeeds(
  { width, height, classes }: NetworkSpec,
  batch: Batch,
  channel: BatchChannel,
  noiseKey: [number, number],
  { grouped }: { grouped: boolean },
): Feed[] {
  const images = batch.labels.length / classes;
  const n = channel.channelUses.length;
  const { signal, disturbance } = airFactors(channel);
  const column = (node: string, data: Float32Array): Feed => ({ node, shape: [n, 1], data });
  const feeds: Feed[] = [
    { node: FED.rgb, shape: [images, height, width, 3], data: batch.rgb },
    { node: FED.labels, shape: [images, classes], data: batch.labels },
    column(FED.averageSnrDb, channel.averageSnrDb),
    column(FED.frameSnrDb, channel.frameSnrDb),
    column(FED.channelUses, channel.channelUses),
    column(FED.signal, signal),
    column(FED.disturbance, disturbance),
    { node: FED.noiseKey, shape: [2], data: Int32Array.from(noiseKey) },
  ];
  if (batch.teacher) feeds.push({ node: FED.teacher, shape: [images, classes], data: batch.teacher });
  if (grouped)
    feeds.push(
      column(
        FED.frameSnr,
        channel.gainPower.map((gain, i) => gain / channel.noisePower[i]!),
      ),
    );
  return feeds;
}
