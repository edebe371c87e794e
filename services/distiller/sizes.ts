import type { NetworkSpec } from '../../shared/codec/network.js';
import { CIFAR10_CLASS_NAMES } from '../../shared/data/cifar10.js';
import type { DistillerConfig } from './config.js';

type Size = Pick<NetworkSpec, 'stages' | 'conditionUnits' | 'decoderUnits'>;

/** Limits of the encoder: s 0.1 M parameters and 8 MFLOP an image, m 0.35 M and 25, l 1 M and 90. */
const SIZES: Record<DistillerConfig['size'], Size> = {
  s: { stages: [16, 32, 46], conditionUnits: 16, decoderUnits: 256 },
  m: { stages: [32, 48, 96], conditionUnits: 32, decoderUnits: 256 },
  l: { stages: [64, 96, 160], conditionUnits: 32, decoderUnits: 256 },
};

/** The codec to be trained. */
export function networkSpec(config: DistillerConfig): NetworkSpec {
  return {
    width: 32,
    height: 32,
    classes: CIFAR10_CLASS_NAMES.length,
    maxChannelUses: config.channelUses.at(-1)!,
    ...SIZES[config.size],
    ...(config.withoutAdaptation && { unadapted: true }),
  };
}
