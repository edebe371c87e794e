import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyMessage } from '../../shared/client/policy.js';
import type { RatePolicy } from '../../shared/codec/rate-control.js';
import { LinkPolicySchema } from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { Code, type SemlinkError } from '../../shared/rpc/errors.js';
import { policyFrom } from './policy.js';

type Init = MessageInitShape<typeof LinkPolicySchema>;

/** As it arrives: through the bytes of the wire. */
const overTheWire = (init: Init) =>
  fromBinary(LinkPolicySchema, toBinary(LinkPolicySchema, create(LinkPolicySchema, { linkId: 'link', ...init })));

function refusal(init: Init): { code: number; message: string } {
  try {
    policyFrom(overTheWire(init));
  } catch (error) {
    const { code, message } = error as SemlinkError;
    return { code, message };
  }
  throw new Error('the policy was taken');
}

const policy: fc.Arbitrary<RatePolicy> = fc.oneof(
  fc.record({ kind: fc.constant('fixed' as const), channelUses: fc.integer({ min: 1, max: 65_536 }) }),
  fc.record({
    kind: fc.constant('target-accuracy' as const),
    accuracy: fc.integer({ min: 0, max: 10_000 }).map((n) => n / 10_000),
  }),
  fc
    .record({
      maxChannelUses: fc.integer({ min: 0, max: 1000 }),
      nanos: fc.integer({ min: 0, max: 10 ** 12 }),
      symbolRateHz: fc.double({ min: 1, max: 1e9, noNaN: true }),
    })
    .filter(({ maxChannelUses, nanos }) => maxChannelUses > 0 || nanos > 0)
    .map(({ nanos, ...rest }) => ({ kind: 'budget' as const, ...rest, maxAirTimeSeconds: nanos / 1e9 })),
);

describe('policyFrom', () => {
  it('gives the policy that a client sent, to the last digit of a target', () => {
    fc.assert(
      fc.property(policy, (sent) => {
        const message = policyMessage('link', sent);
        expect(policyFrom(overTheWire(message))).toEqual(sent);
      }),
    );
  });

  it('takes a budget with one limit alone', () => {
    const budget = (value: { maxChannelUses?: number; maxAirTimeNanos?: bigint; symbolRateHz?: number }) =>
      policyFrom(overTheWire({ policy: { case: 'budget', value } }));
    expect(budget({ maxChannelUses: 8 })).toEqual({
      kind: 'budget',
      maxChannelUses: 8,
      maxAirTimeSeconds: 0,
      symbolRateHz: 0,
    });
    expect(budget({ maxAirTimeNanos: 2_500_000n, symbolRateHz: 48_000 })).toEqual({
      kind: 'budget',
      maxChannelUses: 0,
      maxAirTimeSeconds: 0.0025,
      symbolRateHz: 48_000,
    });
  });

  const accuracy = (value: number): Init => ({ policy: { case: 'targetAccuracy', value: { accuracy: value } } });
  const budget = (value: object): Init => ({ policy: { case: 'budget', value } });
  it.each<[string, Init, RegExp]>([
    ['no policy', {}, /^policy is undefined; set one of fixed, target_accuracy and budget/],
    ['no link', { linkId: '', ...accuracy(0.5) }, /^link_id is ""; use 1 to 64 characters/],
    ['a strange link', { linkId: 'a b', ...accuracy(0.5) }, /^link_id is "a b"/],
    ['no symbols', { policy: { case: 'fixed', value: { channelUses: 0 } } }, /^policy\.fixed\.channel_uses is 0/],
    ['a target over 1', accuracy(1.5), /^policy\.target_accuracy\.accuracy is 1\.5; use 0 to 1/],
    ['a target in per cent', accuracy(85), /accuracy is 85; use 0 to 1/],
    ['a target below 0', accuracy(-0.5), /accuracy is -0\.5; use 0 to 1/],
    ['a target that is NaN', accuracy(Number.NaN), /accuracy is NaN; use 0 to 1/],
    ['a budget of nothing', budget({}), /^policy\.budget is "without a limit"; set max_channel_uses or max_air_time/],
    ['a rate alone', budget({ symbolRateHz: 1000 }), /^policy\.budget is "without a limit"/],
    ['time without a rate', budget({ maxAirTimeNanos: 5n }), /symbol_rate_hz is 0; max_air_time_nanos needs/],
    ['a rate below 0', budget({ maxChannelUses: 4, symbolRateHz: -1 }), /^policy\.budget\.symbol_rate_hz is -1/],
    ['a rate that is NaN', budget({ maxAirTimeNanos: 5n, symbolRateHz: Number.NaN }), /symbol_rate_hz is NaN/],
    ['an infinite rate', budget({ maxChannelUses: 4, symbolRateHz: Number.POSITIVE_INFINITY }), /is Infinity/],
  ])('refuses %s, naming the field, its value and what to do', (_, init, sentence) => {
    const { code, message } = refusal(init);
    expect(code).toBe(Code.INVALID_ARGUMENT);
    expect(message).toMatch(sentence);
  });
});
