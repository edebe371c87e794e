import type { ChannelSettings } from '../../../shared/channel/channel-config.js';
import { invalidArgument } from '../../../shared/rpc/errors.js';
import { type AirSettings, checkAir, defaultAir } from '../air/air-time.js';
import { budgetSnrDb, type LinkBudget } from '../air/link-budget.js';
import { checkFeedback, defaultFeedback, type FeedbackSettings } from '../feedback/feedback-settings.js';

/** Everything that is set for a link. Plain data: as JSON it is what files, `get` and `watch` show. */
export interface LinkSettings {
  /** With the SNR in force, also where `budget` makes it. Its symbol rate is `air.symbolRateHz`. */
  readonly channel: ChannelSettings;
  /** Where the SNR comes from; null: it was set as such. */
  readonly budget: LinkBudget | null;
  readonly air: AirSettings;
  readonly feedback: FeedbackSettings;
}

/** A channel with everything else at its default. */
export function plainSettings(channel: ChannelSettings): LinkSettings {
  return { channel, budget: null, air: defaultAir, feedback: defaultFeedback };
}

/**
 * Checks air, feedback and budget, and works out the SNR that the budget makes. The channel itself is checked where its
 * model is made.
 * @throws SemlinkError INVALID_ARGUMENT naming the setting, its value and the range
 */
export function resolveSettings(settings: LinkSettings): LinkSettings {
  const { budget, air, feedback } = settings;
  checkAir(air);
  checkFeedback(feedback);
  const channel = withoutRate(settings.channel, air.symbolRateHz);
  if (budget !== null) return { ...settings, channel: { ...channel, snrDb: budgetSnrDb(budget) } };
  return channel === settings.channel ? settings : { ...settings, channel };
}

/** There is one symbol rate, that of `air`. */
function withoutRate(channel: ChannelSettings, airRateHz: number): ChannelSettings {
  const { symbolRateHz, ...rest } = channel;
  if (symbolRateHz === undefined) return channel;
  if (symbolRateHz === airRateHz) return rest as ChannelSettings;
  throw invalidArgument('channel.symbolRateHz', symbolRateHz, `set air.symbolRateHz, which is ${airRateHz}`);
}
