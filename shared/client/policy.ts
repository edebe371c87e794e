import { create } from '@bufbuild/protobuf';
import type { RatePolicy } from '../codec/rate-control.js';
import { type LinkPolicy, LinkPolicySchema } from '../gen/semlink/v1/transmitter_encoder_pb.js';

/** A link's policy as a message. */
export function policyMessage(linkId: string, policy: RatePolicy): LinkPolicy {
  switch (policy.kind) {
    case 'fixed':
      return create(LinkPolicySchema, {
        linkId,
        policy: { case: 'fixed', value: { channelUses: policy.channelUses } },
      });
    case 'target-accuracy':
      return create(LinkPolicySchema, {
        linkId,
        policy: { case: 'targetAccuracy', value: { accuracy: policy.accuracy } },
      });
    case 'budget':
      return create(LinkPolicySchema, {
        linkId,
        policy: {
          case: 'budget',
          value: {
            maxChannelUses: policy.maxChannelUses ?? 0,
            maxAirTimeNanos: BigInt(Math.round((policy.maxAirTimeSeconds ?? 0) * 1e9)),
            symbolRateHz: policy.symbolRateHz ?? 0,
          },
        },
      });
  }
}
