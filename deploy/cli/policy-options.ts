import { z } from 'zod';
import type { RatePolicy } from '../../shared/codec/rate-control.js';
import { option } from '../../shared/config/index.js';

/** Options by which a command chooses a link's rate policy. */
export function policyFields(defaultPolicy: 'fixed' | 'target-accuracy' | 'budget' | 'transmitter') {
  return {
    policy: option(z.enum(['transmitter', 'fixed', 'target-accuracy', 'budget']).default(defaultPolicy), {
      description: 'How the number of channel uses is chosen; transmitter: as the transmitter is configured.',
    }),
    k: option(z.int().min(1).max(1024).default(32), {
      description: 'fixed: this many channel uses an image; budget: at most this many.',
      unit: 'channel uses',
    }),
    target: option(z.number().min(0).max(1).default(0.85), {
      description: 'target-accuracy: the least length whose calibrated accuracy reaches this is sent.',
    }),
  };
}

/** The policy chosen; undefined leaves it to the transmitter. */
export function policyFrom(config: { policy: string; k: number; target: number }): RatePolicy | undefined {
  switch (config.policy) {
    case 'fixed':
      return { kind: 'fixed', channelUses: config.k };
    case 'target-accuracy':
      return { kind: 'target-accuracy', accuracy: config.target };
    case 'budget':
      return { kind: 'budget', maxChannelUses: config.k };
    default:
      return undefined;
  }
}
