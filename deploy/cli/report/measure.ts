import { typicalSettings } from '../../../shared/channel/channel-config.js';
import { type EvaluationPoint, type LabelledImages, measureLink } from '../../../shared/codec/link-evaluation.js';
import type { PublishedModel } from '../../../shared/codec/model-folder.js';
import { publishedPair } from '../published-pair.js';
import { meanAndDeviation } from '../statistics.js';
import { capacityBound } from './capacity-bound.js';
import { codedLabelAccuracy, labelArrives } from './coded-label.js';
import type { BaselinePoint, Comparison, ModelFacts, ModelPoint } from './data.js';
import { measureLatency } from './latency.js';
import { comparableLength, PUBLISHED } from './published.js';

/** What is measured. */
export interface Grid {
  channels: ('awgn' | 'rayleigh-block')[];
  snrDb: number[];
  /** Lengths; none: all that a model has. */
  k: number[];
  seeds: number[];
}

/** Peak SNRs that are drawn, dB: those that papers state. */
const PEAK_SNR_DB = [0, 5, 10, 15, 20];
/** Nothing in the way: the upper end of what models are told of SNR. */
const CLEAN_DB = 26;

export interface MeasuredModel {
  facts: ModelFacts;
  /** Unit average power, over the grid. */
  average: ModelPoint[];
  /** Peak power, AWGN. */
  peak: ModelPoint[];
  /** Unit average power at published points outside the grid. */
  elsewhere: ModelPoint[];
}

/** Sends the images at every point of the grid, at the peak SNRs and at the published points. */
export async function measureModel(
  model: PublishedModel,
  images: LabelledImages,
  grid: Grid,
  latencyCalls: number,
  onProgress: (share: number) => void,
): Promise<MeasuredModel> {
  const { manifest } = model;
  const lengths = grid.k.length > 0 ? grid.k.filter((k) => manifest.channelUses.includes(k)) : manifest.channelUses;
  const at = (name: 'awgn' | 'rayleigh-block', snrDb: number, k: number, power: 'average' | 'peak' = 'average') => ({
    channel: typicalSettings(name, snrDb),
    channelUses: k,
    power,
  });
  const average = grid.channels.flatMap((name) => grid.snrDb.flatMap((snr) => lengths.map((k) => at(name, snr, k))));
  const peak = PEAK_SNR_DB.flatMap((snr) => lengths.map((k) => at('awgn', snr, k, 'peak')));
  const elsewhere = PUBLISHED.filter(({ power }) => power === 'average').map(({ snrDb, k }) =>
    at('awgn', snrDb, comparableLength(lengths, k)),
  );
  const points: EvaluationPoint[] = [...average, ...peak, ...elsewhere];
  const seeded = points.flatMap((point) => grid.seeds.map((seed) => ({ ...point, seed })));
  const clean = { ...at('awgn', CLEAN_DB, manifest.channelUses.at(-1)!), seed: grid.seeds[0]! };
  const pair = await publishedPair(model);
  const measured = await measureLink(pair, images, [...seeded, clean], {
    seed: grid.seeds[0]!,
    onProgress: (done, total) => onProgress(done / total),
  });
  const results = points.map((point, i): ModelPoint => {
    const bySeed = measured.slice(i * grid.seeds.length, (i + 1) * grid.seeds.length);
    const accuracies = bySeed.map(({ accuracy }) => accuracy);
    const { mean, deviation } = meanAndDeviation(accuracies);
    return {
      model: manifest.version,
      channel: point.channel.model,
      snr_db: point.channel.snrDb,
      k: point.channelUses,
      power: point.power ?? 'average',
      accuracy: mean,
      accuracy_deviation: deviation,
      accuracy_by_seed: accuracies,
      images: images.count,
      semantic_bits: meanAndDeviation(bySeed.map(({ semanticBits }) => semanticBits)).mean,
    };
  });
  pair.encoder.dispose();
  pair.decoder.dispose();
  const { training, cost } = manifest;
  return {
    facts: {
      model: manifest.version,
      ...cost,
      channel_uses: manifest.channelUses,
      on_device_accuracy: measured.at(-1)!.accuracy,
      training: {
        command: training.command,
        seed: training.seed,
        images: training.images,
        epochs: training.epochs,
        knowledge: training.knowledge !== undefined,
      },
      latency: measureLatency(model, latencyCalls),
    },
    average: results.slice(0, average.length),
    peak: results.slice(average.length, average.length + peak.length),
    elsewhere: results.slice(average.length + peak.length),
  };
}

/** The computed baselines over the same grid. */
export function baselinesOver(grid: Grid, lengths: number[], classes: number, onDevice: number): BaselinePoint[] {
  return grid.channels.flatMap((channel) =>
    grid.snrDb.flatMap((snr_db) =>
      lengths.flatMap((k): BaselinePoint[] => [
        {
          baseline: 'coded-label',
          channel,
          snr_db,
          k,
          accuracy: codedLabelAccuracy(onDevice, labelArrives(channel, snr_db, k, classes), classes),
        },
        { baseline: 'capacity-bound', channel, snr_db, k, accuracy: capacityBound(channel, snr_db, k, classes) },
      ]),
    ),
  );
}

/** Published points, each with every model at the same power and SNR and the longest length that is not longer. */
export function comparisons(models: readonly MeasuredModel[]): Comparison[] {
  return PUBLISHED.map(({ who, setting, power, snrDb, k, accuracy }) => ({
    who,
    setting,
    power,
    snr_db: snrDb,
    k,
    accuracy,
    ours: models.flatMap(({ peak, elsewhere }) => {
      const points = (power === 'peak' ? peak : elsewhere).filter((p) => p.snr_db === snrDb);
      const lengths = [...new Set(points.map((p) => p.k))].sort((a, b) => a - b);
      return points.filter((p) => p.k === comparableLength(lengths, k)).slice(0, 1);
    }),
  }));
}
