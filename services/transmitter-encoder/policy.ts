import type { RatePolicy } from '../../shared/codec/rate-control.js';
import type { LinkPolicy } from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { invalidArgument } from '../../shared/rpc/errors.js';
import { checkLinkId } from '../../shared/rpc/frame-header.js';

/**
 * A link's policy from its message.
 *
 * @throws SemlinkError INVALID_ARGUMENT naming the field, its value and what is allowed
 */
export function policyFrom(message: LinkPolicy): RatePolicy {
  checkLinkId(message.linkId);
  const { policy } = message;
  switch (policy.case) {
    case 'fixed': {
      const { channelUses } = policy.value;
      if (channelUses < 1)
        throw invalidArgument('policy.fixed.channel_uses', channelUses, 'use one of the model lengths');
      return { kind: 'fixed', channelUses };
    }
    case 'targetAccuracy': {
      const { accuracy } = policy.value;
      if (!(accuracy >= 0 && accuracy <= 1)) {
        throw invalidArgument('policy.target_accuracy.accuracy', accuracy, 'use 0 to 1');
      }
      // binary32 makes 0.85 a little more than 0.85, which a calibration of exactly 0.85 would miss.
      return { kind: 'target-accuracy', accuracy: Math.round(accuracy * 1e6) / 1e6 };
    }
    case 'budget': {
      const { maxChannelUses, maxAirTimeNanos, symbolRateHz } = policy.value;
      if (!Number.isFinite(symbolRateHz) || symbolRateHz < 0) {
        throw invalidArgument(
          'policy.budget.symbol_rate_hz',
          symbolRateHz,
          'use a positive number of symbols a second',
        );
      }
      if (maxAirTimeNanos > 0n && symbolRateHz === 0) {
        throw invalidArgument('policy.budget.symbol_rate_hz', symbolRateHz, 'max_air_time_nanos needs a symbol rate');
      }
      if (maxAirTimeNanos === 0n && maxChannelUses === 0) {
        throw invalidArgument('policy.budget', 'without a limit', 'set max_channel_uses or max_air_time_nanos');
      }
      return { kind: 'budget', maxChannelUses, maxAirTimeSeconds: Number(maxAirTimeNanos) / 1e9, symbolRateHz };
    }
    default:
      throw invalidArgument('policy', undefined, 'set one of fixed, target_accuracy and budget');
  }
}
