/** What a training run of the baselines writes down, as `semlink report` reads it. */

import { withFrozen } from '../../services/distiller/looks.js';
import {
  type CodecPair,
  type EvaluationPoint,
  type LabelledImages,
  measureLink,
} from '../../shared/codec/link-evaluation.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import type { Weights } from '../../shared/codec/weights.js';

export interface RunResult {
  run: string;
  size: 's';
  epochs: number;
  /** Training images. */
  images: number;
  seed: number;
  /** What is special about it, in words; runs that differ only in their seed have the same. */
  what: string;
  points: Awaited<ReturnType<typeof measuredPoints>>;
}

/** Average Es/N0 at which every run is measured, dB. */
export const SNR_DB = [-10, -5, 0, 5, 10, 15, 20];

/** Every length at every SNR over AWGN and block Rayleigh. */
export function gridPoints(channelUses: readonly number[], snrDb: readonly number[] = SNR_DB): EvaluationPoint[] {
  return snrDb.flatMap((snr) =>
    channelUses.flatMap((k) => [
      { channel: { model: 'awgn' as const, snrDb: snr }, channelUses: k },
      { channel: { model: 'rayleigh-block' as const, snrDb: snr, coherenceSymbols: 0 }, channelUses: k },
    ]),
  );
}

/** Accuracy (0 to 1), semantic bits and occupied channel uses at each point, channel seed 1. */
export async function measuredPoints(pair: CodecPair, test: LabelledImages, points: readonly EvaluationPoint[]) {
  const measured = await measureLink(pair, test, points, { seed: 1 });
  return points.map(({ channel, channelUses: k }, i) => ({
    channel: channel.model,
    snr_db: channel.snrDb,
    k,
    accuracy: measured[i]!.accuracy,
    semantic_bits: Number(measured[i]!.semanticBits.toFixed(3)),
    occupied_uses: measured[i]!.occupiedUses,
  }));
}

/** The same for weights that have not been published. */
export function measuredWeights(
  weights: Weights,
  network: NetworkSpec,
  test: LabelledImages,
  points: readonly EvaluationPoint[],
) {
  return withFrozen(weights, network, (pair) => measuredPoints({ ...pair, network }, test, points));
}
