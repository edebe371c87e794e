import { type LinkRandom, Purpose } from '../../../shared/channel/link-random.js';
import type { ChannelStateFeedback } from '../../../shared/gen/semlink/v1/frame_pb.js';
import { uniform } from '../air/air-time.js';
import type { DelayQueue } from '../air/delay-queue.js';
import type { FeedbackSettings } from './feedback-settings.js';

/** What became of a report: sent on, lost on its way, or more than can be held. */
export type FeedbackFate = 'delivered' | 'lost' | 'overflow';

export interface FeedbackPathOptions {
  settingsOf: (linkId: string) => FeedbackSettings;
  randomOf: (linkId: string) => LinkRandom;
  queue: DelayQueue;
  /** Hears what became of each report. */
  onFate?: (fate: FeedbackFate) => void;
  /** Reports held at most; further ones are dropped. Default 65,536. */
  maxHeld?: number;
}

/**
 * The way of channel state back to the transmitter: quantised, lost or not, delayed. Whether a report is lost follows
 * from the link's seed and the position of the frame measured; its time of measurement stays what it was, so that the
 * transmitter sees how old it is.
 */
export class FeedbackPath {
  readonly #options: FeedbackPathOptions;
  readonly #maxHeld: number;
  #held = 0;

  constructor(options: FeedbackPathOptions) {
    this.#options = options;
    this.#maxHeld = options.maxHeld ?? 65_536;
  }

  /** Reports on their way. */
  get held(): number {
    return this.#held;
  }

  /** Sends one report; `arrive` is called with it at its time, or never. */
  send(report: ChannelStateFeedback, arrive: (report: ChannelStateFeedback) => void): void {
    const settings = this.#options.settingsOf(report.linkId);
    const { lossProbability } = settings;
    if (lossProbability > 0 && isLost(settings, this.#options.randomOf(report.linkId), Number(report.position))) {
      this.#options.onFate?.('lost');
      return;
    }
    report.snrDb = quantise(settings, report.snrDb);
    report.instantaneousSnrDb = quantise(settings, report.instantaneousSnrDb);
    if (settings.delayMs === 0) {
      this.#options.onFate?.('delivered');
      arrive(report);
      return;
    }
    if (this.#held >= this.#maxHeld) {
      this.#options.onFate?.('overflow');
      return;
    }
    this.#held++;
    this.#options.queue.at(performance.now() + settings.delayMs, () => {
      this.#held--;
      this.#options.onFate?.('delivered');
      arrive(report);
    });
  }
}

/**
 * Uniform quantiser with 2^bits cells of equal width over [leastSnrDb, greatestSnrDb]; a value becomes the middle of its
 * cell, one outside the middle of the first or last. The error within the range is at most half a cell.
 */
export function quantise({ bits, leastSnrDb, greatestSnrDb }: FeedbackSettings, snrDb: number): number {
  if (bits === 0) return snrDb;
  const cells = 2 ** bits;
  const width = (greatestSnrDb - leastSnrDb) / cells;
  const cell = Math.min(cells - 1, Math.max(0, Math.floor((snrDb - leastSnrDb) / width)));
  return leastSnrDb + (cell + 0.5) * width;
}

/** Whether the report of the frame at `position` is lost. */
export function isLost({ lossProbability }: FeedbackSettings, random: LinkRandom, position: number): boolean {
  return uniform(random, Purpose.feedbackLoss, position) < lossProbability;
}
