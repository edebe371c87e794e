import { invalidArgument } from '../../../shared/rpc/errors.js';
import { checkFlag, checkNumbers } from '../air/ranges.js';

/** How channel state gets back to the transmitter. */
export interface FeedbackSettings {
  /** What the receiver measures with; null: it knows the state perfectly (genie). */
  readonly pilots: PilotSettings | null;
  /** Values are quantised to this many bits, 1 to 16, over the range below; 0: not quantised. */
  readonly bits: number;
  /** Range of the quantiser, dB. */
  readonly leastSnrDb: number;
  readonly greatestSnrDb: number;
  /** How much later than the answer's own way it arrives, ms. */
  readonly delayMs: number;
  /** Probability that a report is lost, 0 to 1. */
  readonly lossProbability: number;
}

export interface PilotSettings {
  /** Pilots per coherence block. */
  readonly count: number;
  /** Power of a pilot over that of a data symbol, dB. */
  readonly powerDb: number;
  /** The receiver equalises with the estimated gains too. */
  readonly equalise: boolean;
}

export const feedbackRanges = {
  bits: { least: 0, greatest: 16, unit: 'bits', whole: true },
  leastSnrDb: { least: -100, greatest: 100, unit: 'dB' },
  greatestSnrDb: { least: -100, greatest: 100, unit: 'dB' },
  delayMs: { least: 0, greatest: 3_600_000, unit: 'ms' },
  lossProbability: { least: 0, greatest: 1, unit: '' },
} as const;

export const pilotRanges = {
  count: { least: 1, greatest: 65_536, unit: 'pilots', whole: true },
  powerDb: { least: -30, greatest: 30, unit: 'dB' },
} as const;

export const defaultFeedback: FeedbackSettings = {
  pilots: null,
  bits: 0,
  leastSnrDb: -10,
  greatestSnrDb: 30,
  delayMs: 0,
  lossProbability: 0,
};

export const defaultPilots: PilotSettings = { count: 1, powerDb: 0, equalise: false };

/** @throws SemlinkError INVALID_ARGUMENT naming the setting, its value and the range */
export function checkFeedback(feedback: FeedbackSettings): void {
  checkNumbers('feedback', feedback, feedbackRanges);
  if (feedback.leastSnrDb >= feedback.greatestSnrDb) {
    throw invalidArgument(
      'feedback.leastSnrDb',
      feedback.leastSnrDb,
      `use less than feedback.greatestSnrDb, which is ${feedback.greatestSnrDb} dB`,
    );
  }
  if (feedback.pilots === null) return;
  checkNumbers('feedback.pilots', feedback.pilots, pilotRanges);
  checkFlag('feedback.pilots.equalise', feedback.pilots.equalise);
}
