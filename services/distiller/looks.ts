import {
  type CodecPair,
  type EvaluationPoint,
  evaluateLink,
  type LabelledImages,
} from '../../shared/codec/link-evaluation.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import type { Weights } from '../../shared/codec/weights.js';
import { FrozenPair } from './frozen-pair.js';

/** Points at which a run in progress is judged on held-out images. */
const WATCHED: Record<string, EvaluationPoint> = {
  'awgn 10 dB k=32': { channel: { model: 'awgn', snrDb: 10 }, channelUses: 32 },
  'awgn 10 dB k=8': { channel: { model: 'awgn', snrDb: 10 }, channelUses: 8 },
  'awgn -6 dB k=64': { channel: { model: 'awgn', snrDb: -6 }, channelUses: 64 },
  'rayleigh-block 10 dB k=32': {
    channel: { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 },
    channelUses: 32,
  },
};

const LOOK_SEED = 7;

/** Accuracy at each watched point that the network has the length for, by the point's name. */
export async function look(
  weights: Weights,
  spec: NetworkSpec,
  holdout: LabelledImages,
): Promise<Record<string, number>> {
  const points = Object.entries(WATCHED).filter(([, point]) => point.channelUses <= spec.maxChannelUses);
  const accuracy = await withFrozen(weights, spec, (pair) =>
    evaluateLink(
      { ...pair, network: spec },
      holdout,
      points.map(([, point]) => point),
      { seed: LOOK_SEED },
    ),
  );
  return Object.fromEntries(points.map(([name], i) => [name, accuracy[i]!]));
}

/** A look in words: `awgn 10 dB k=32: 91.3 %, ...`. */
export function lookText(accuracies: Record<string, number>): string {
  return Object.entries(accuracies)
    .map(([name, value]) => `${name}: ${(100 * value).toFixed(1)} %`)
    .join(', ');
}

/** Lends the weights' frozen graphs, as they would be served. */
export async function withFrozen<T>(
  weights: Weights,
  spec: NetworkSpec,
  use: (pair: Pick<CodecPair, 'encoder' | 'decoder'>) => Promise<T>,
): Promise<T> {
  const pair = await FrozenPair.of(spec, weights);
  try {
    return await use({ encoder: pair.encoder, decoder: pair.decoder });
  } finally {
    pair.dispose();
  }
}
