import { z } from 'zod';
import { group, option } from '../../shared/config/index.js';
import { type AirSettings, defaultAir } from './air/air-time.js';
import type { LinkBudget } from './air/link-budget.js';
import { defaultFeedback, type FeedbackSettings } from './feedback/feedback-settings.js';

const delay = (what: string) => option(z.number().min(0).max(3_600_000).default(0), { description: what, unit: 'ms' });

/** Options for the links' default beside the channel model: SNR by a budget, time on the air, feedback. */
export const linkOptions = {
  budget: group({
    transmitPowerDbm: option(z.number().min(-100).max(100).optional(), {
      description:
        'Transmit power with antenna gains. With path loss and noise floor it makes the SNR instead of snrDb.',
      unit: 'dBm',
    }),
    pathLossDb: option(z.number().min(-50).max(300).optional(), { description: 'Path loss.', unit: 'dB' }),
    noiseFloorDbm: option(z.number().min(-200).max(50).optional(), {
      description: 'Noise power in the bandwidth of a symbol, with the noise figure.',
      unit: 'dBm',
    }),
  }),
  air: group({
    symbolRateHz: option(z.number().min(1).max(1e12).default(defaultAir.symbolRateHz), {
      description: 'Complex symbols a second: k channel uses take k over this on the air.',
      unit: 'Hz',
    }),
    realTime: option(z.boolean().default(false), {
      description:
        'Frames of a link are on the air one after the other and arrive after air time and delay; otherwise both are only reported.',
    }),
    propagationDelayMs: delay('From antenna to antenna.'),
    processingDelayMs: delay('Of transmitter and receiver.'),
    jitterMs: delay('A further delay of each frame, uniform from 0 to this.'),
    reorder: option(z.boolean().default(false), {
      description: 'With jitter a frame may overtake earlier ones of its link; otherwise it arrives after them.',
    }),
    maxWaitMs: option(z.number().min(0.001).max(3_600_000).default(defaultAir.maxWaitMs), {
      description: 'A frame that would wait longer for the air of its link is answered RESOURCE_EXHAUSTED.',
      unit: 'ms',
    }),
  }),
  feedback: group({
    pilots: option(z.int().min(0).max(65_536).default(0), {
      description: 'Pilots per coherence block by which the receiver estimates the channel; 0: it knows it perfectly.',
    }),
    pilotPowerDb: option(z.number().min(-30).max(30).default(0), {
      description: 'Power of a pilot over that of a data symbol.',
      unit: 'dB',
    }),
    pilotsEqualise: option(z.boolean().default(false), {
      description: 'The receiver equalises with the estimated gains too.',
    }),
    bits: option(z.int().min(0).max(16).default(0), {
      description: 'Fed-back SNR is quantised to this many bits over the range below; 0: not quantised.',
      unit: 'bits',
    }),
    leastSnrDb: option(z.number().min(-100).max(100).default(defaultFeedback.leastSnrDb), {
      description: 'Lower end of the range of the quantiser.',
      unit: 'dB',
    }),
    greatestSnrDb: option(z.number().min(-100).max(100).default(defaultFeedback.greatestSnrDb), {
      description: 'Upper end of the range of the quantiser.',
      unit: 'dB',
    }),
    delayMs: delay('How much later than the answers feedback arrives.'),
    lossProbability: option(z.number().min(0).max(1).default(0), { description: 'Probability that a report is lost.' }),
  }),
};

type LinkOptions = z.output<z.ZodObject<typeof linkOptions>>;

/** What `linkOptions` say. */
export function linkDefaults({ budget, air, feedback }: LinkOptions): {
  budget: LinkBudget | null;
  air: AirSettings;
  feedback: FeedbackSettings;
} {
  const { pilots, pilotPowerDb, pilotsEqualise, ...way } = feedback;
  const { transmitPowerDbm, pathLossDb, noiseFloorDbm } = budget;
  return {
    budget:
      transmitPowerDbm !== undefined && pathLossDb !== undefined && noiseFloorDbm !== undefined
        ? { transmitPowerDbm, pathLossDb, noiseFloorDbm }
        : null,
    air,
    feedback: {
      ...way,
      pilots: pilots === 0 ? null : { count: pilots, powerDb: pilotPowerDb, equalise: pilotsEqualise },
    },
  };
}

/** A sentence when options contradict each other. */
export function linkOptionsProblem({ budget, feedback }: LinkOptions): string | undefined {
  const given = Object.values(budget).filter((value) => value !== undefined).length;
  if (given > 0 && given < 3) {
    return '--budget-transmit-power-dbm, --budget-path-loss-db and --budget-noise-floor-dbm make the SNR together: give all three or none.';
  }
  if (feedback.leastSnrDb >= feedback.greatestSnrDb) {
    return `--feedback-least-snr-db is ${feedback.leastSnrDb}; use less than --feedback-greatest-snr-db, which is ${feedback.greatestSnrDb}.`;
  }
  return undefined;
}
