import { z } from 'zod';
import { greatestSnrDb, leastSnrDb, simulatedModelNames } from '../../../shared/channel/channel-config.js';
import type { RatePolicy } from '../../../shared/codec/rate-control.js';

/** Models that the page offers: those that need nothing but numbers. */
export const offeredModels = simulatedModelNames.filter((model) => model !== 'taps' && model !== 'trace');

/** Bounds that both the page and the checks of what it sends go by. */
export const ranges = {
  snrDb: { least: leastSnrDb, greatest: greatestSnrDb },
  dopplerHz: { least: 0, greatest: 500_000 },
  feedbackDelayMs: { least: 0, greatest: 60_000 },
  rate: { least: 0.5, greatest: 500 },
} as const;

const within = ({ least, greatest }: { least: number; greatest: number }) => z.number().min(least).max(greatest);

/** POST /api/channel: what is named changes. */
export const channelChangeRequest = z.strictObject({
  model: z.enum(offeredModels as [string, ...string[]]).optional(),
  snrDb: within(ranges.snrDb).optional(),
  dopplerHz: within(ranges.dopplerHz).optional(),
  feedbackDelayMs: within(ranges.feedbackDelayMs).optional(),
});
export type ChannelChangeRequest = z.output<typeof channelChangeRequest>;

/** POST /api/policy. */
export const policyRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fixed'), channelUses: z.int().min(1).max(1024) }),
  z.strictObject({ kind: z.literal('target-accuracy'), accuracy: z.number().min(0).max(1) }),
  z.strictObject({ kind: z.literal('budget'), maxChannelUses: z.int().min(1).max(1024) }),
]) satisfies z.ZodType<RatePolicy>;

/** POST /api/traffic: what is named changes. */
export const trafficRequest = z.strictObject({
  rate: within(ranges.rate).optional(),
  paused: z.boolean().optional(),
});
export type TrafficRequest = z.output<typeof trafficRequest>;
