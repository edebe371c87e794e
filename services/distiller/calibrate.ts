import type { Calibration } from '../../shared/codec/calibration.js';
import {
  type CodecPair,
  type EvaluationPoint,
  evaluateLink,
  type LabelledImages,
} from '../../shared/codec/link-evaluation.js';

/** Average Es/N0 at which a model is calibrated, dB. */
const SNR_DB = [-10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24];
const CHANNELS = ['awgn', 'rayleigh-block'] as const;

/** Seed of the calibration's channels: not the training's, so that a model is not judged by noise it was trained on. */
const CALIBRATION_SEED = 20_251;

/**
 * Measures accuracy(k, SNR, channel model) on held-out images.
 *
 * @param onProgress called with points done and points in all
 */
export async function calibrate(
  pair: CodecPair,
  images: LabelledImages,
  channelUses: readonly number[],
  onProgress: (done: number, total: number) => void,
): Promise<Calibration> {
  const points: EvaluationPoint[] = channelUses.flatMap((k) =>
    SNR_DB.flatMap((snrDb) =>
      CHANNELS.map((model) => ({
        channelUses: k,
        channel: model === 'awgn' ? { model, snrDb } : { model, snrDb, coherenceSymbols: 0 },
      })),
    ),
  );
  const accuracy = await evaluateLink(pair, images, points, { seed: CALIBRATION_SEED, onProgress });
  const at = (row: number, column: number, channel: number) =>
    accuracy[(row * SNR_DB.length + column) * CHANNELS.length + channel]!;
  return {
    images: images.count,
    split: 'holdout',
    snrDb: SNR_DB,
    channelUses: [...channelUses],
    accuracy: Object.fromEntries(
      CHANNELS.map((model, channel) => [
        model,
        channelUses.map((_, row) => SNR_DB.map((_, column) => Number(at(row, column, channel).toFixed(4)))),
      ]),
    ),
  };
}
