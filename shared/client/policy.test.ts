import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { LinkPolicySchema } from '../gen/semlink/v1/transmitter_encoder_pb.js';
import { policyMessage } from './policy.js';

describe('policyMessage', () => {
  it('says each policy in the contract’s words and units', () => {
    expect(policyMessage('uav-7', { kind: 'fixed', channelUses: 16 })).toEqual(
      create(LinkPolicySchema, { linkId: 'uav-7', policy: { case: 'fixed', value: { channelUses: 16 } } }),
    );
    expect(policyMessage('uav-7', { kind: 'target-accuracy', accuracy: 0.85 })).toEqual(
      create(LinkPolicySchema, { linkId: 'uav-7', policy: { case: 'targetAccuracy', value: { accuracy: 0.85 } } }),
    );
    const budget = { maxChannelUses: 32, maxAirTimeNanos: 2_500_000n, symbolRateHz: 48_000 };
    expect(
      policyMessage('uav-7', { kind: 'budget', maxChannelUses: 32, maxAirTimeSeconds: 0.0025, symbolRateHz: 48_000 }),
    ).toEqual(create(LinkPolicySchema, { linkId: 'uav-7', policy: { case: 'budget', value: budget } }));
  });

  it('leaves limits that are not given at 0, which is none', () => {
    const none = { maxChannelUses: 0, maxAirTimeNanos: 0n, symbolRateHz: 0 };
    expect(policyMessage('a', { kind: 'budget' }).policy).toMatchObject({ case: 'budget', value: none });
  });

  it('rounds time on the air to whole nanoseconds', () => {
    const { policy } = policyMessage('a', { kind: 'budget', maxAirTimeSeconds: 0.0029, symbolRateHz: 1 });
    expect(policy).toMatchObject({ value: { maxAirTimeNanos: 2_900_000n } });
  });
});
