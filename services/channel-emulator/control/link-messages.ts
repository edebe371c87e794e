/** Everything that is set for a link between its protobuf form and the domain's. */
import { create } from '@bufbuild/protobuf';
import { type ChannelConfig, ChannelConfigSchema } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import {
  type AirConfig,
  AirConfigSchema,
  type FeedbackConfig,
  FeedbackConfigSchema,
  LinkBudgetSchema,
} from '../../../shared/gen/semlink/v1/channel_link_pb.js';
import { invalidArgument } from '../../../shared/rpc/errors.js';
import { type AirSettings, defaultAir } from '../air/air-time.js';
import { budgetSnrDb } from '../air/link-budget.js';
import { messageOf, settingsFrom } from '../channel-messages.js';
import { defaultFeedback, type FeedbackSettings } from '../feedback/feedback-settings.js';
import type { LinkSettings } from './link-settings.js';

/**
 * @param base what is set so far: air and feedback stay when the message has none
 * @throws SemlinkError INVALID_ARGUMENT when no model is chosen, or SNR and budget contradict each other
 */
export function linkSettingsFrom(message: ChannelConfig | undefined, base: LinkSettings): LinkSettings {
  const channel = settingsFrom(message);
  const { linkBudget, air, feedback } = message!;
  const budget = linkBudget
    ? {
        transmitPowerDbm: linkBudget.transmitPowerDbm,
        pathLossDb: linkBudget.pathLossDb,
        noiseFloorDbm: linkBudget.noiseFloorDbm,
      }
    : null;
  if (budget) {
    const snrDb = budgetSnrDb(budget);
    if (channel.snrDb !== 0 && Math.abs(channel.snrDb - snrDb) > 1e-6) {
      throw invalidArgument('channel.snr_db', channel.snrDb, `leave it out: channel.link_budget makes it ${snrDb} dB`);
    }
  }
  return {
    channel,
    budget,
    air: air ? airFrom(air) : base.air,
    feedback: feedback ? feedbackFrom(feedback) : base.feedback,
  };
}

export function linkMessageOf({ channel, budget, air, feedback }: LinkSettings): ChannelConfig {
  return create(ChannelConfigSchema, {
    ...messageOf(channel),
    ...(budget && { linkBudget: create(LinkBudgetSchema, budget) }),
    air: create(AirConfigSchema, {
      symbolRateHz: air.symbolRateHz,
      realTime: air.realTime,
      propagationDelayNanos: nanos(air.propagationDelayMs),
      processingDelayNanos: nanos(air.processingDelayMs),
      jitterNanos: nanos(air.jitterMs),
      reorder: air.reorder,
      maxWaitNanos: nanos(air.maxWaitMs),
    }),
    feedback: create(FeedbackConfigSchema, {
      ...(feedback.pilots && { pilots: feedback.pilots }),
      bits: feedback.bits,
      leastSnrDb: feedback.leastSnrDb,
      greatestSnrDb: feedback.greatestSnrDb,
      delayNanos: nanos(feedback.delayMs),
      lossProbability: feedback.lossProbability,
    }),
  });
}

function airFrom(air: AirConfig): AirSettings {
  return {
    symbolRateHz: air.symbolRateHz,
    realTime: air.realTime,
    propagationDelayMs: milliseconds(air.propagationDelayNanos),
    processingDelayMs: milliseconds(air.processingDelayNanos),
    jitterMs: milliseconds(air.jitterNanos),
    reorder: air.reorder,
    maxWaitMs: air.maxWaitNanos === 0n ? defaultAir.maxWaitMs : milliseconds(air.maxWaitNanos),
  };
}

function feedbackFrom(feedback: FeedbackConfig): FeedbackSettings {
  const { pilots, leastSnrDb, greatestSnrDb } = feedback;
  const range = leastSnrDb === 0 && greatestSnrDb === 0 ? defaultFeedback : feedback;
  return {
    pilots: pilots ? { count: pilots.count, powerDb: pilots.powerDb, equalise: pilots.equalise } : null,
    bits: feedback.bits,
    leastSnrDb: range.leastSnrDb,
    greatestSnrDb: range.greatestSnrDb,
    delayMs: milliseconds(feedback.delayNanos),
    lossProbability: feedback.lossProbability,
  };
}

function nanos(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}

function milliseconds(value: bigint): number {
  return Number(value) / 1e6;
}
