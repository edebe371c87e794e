import { type Calibration, calibratedAccuracy } from './calibration.js';

/** How many channel uses a link's frames get. */
export type RatePolicy =
  | { kind: 'fixed'; channelUses: number }
  | { kind: 'target-accuracy'; accuracy: number }
  | { kind: 'budget'; maxChannelUses?: number; maxAirTimeSeconds?: number; symbolRateHz?: number };

/** Channel state as fed back by the receiver. */
export interface FedBackState {
  channelModel: string;
  /** Average Es/N0, dB. */
  snrDb: number;
  /** When it was measured, milliseconds since the Unix epoch. */
  measuredAtMs: number;
}

/**
 * Why a length was chosen: the policy is `fixed`; the `target` is met by the calibration; none meets it, so the most
 * accurate (`best-effort`); the most accurate within the `budget`; a smaller one would do, but not by the hysteresis
 * (`hold`); or the channel state is missing or too old (`stale`).
 */
export type RateReason = 'fixed' | 'target' | 'best-effort' | 'budget' | 'hold' | 'stale';

export interface RateDecision {
  channelUses: number;
  /** Average Es/N0 in dB to adapt the symbols to. */
  snrDb: number;
  reason: RateReason;
  /** Age of the channel state used, ms; undefined when there is none. */
  ageMs: number | undefined;
}

export interface RateControlOptions {
  /** Channel state older than this is not trusted, ms. */
  staleAfterMs: number;
  /** The target must still be met with this much less SNR before k is lowered, dB. */
  hysteresisDb: number;
  /** Assumed Es/N0 when the channel is not known, dB. */
  unknownSnrDb: number;
}

/** Gain in calibrated accuracy that is not worth a longer message: within the calibration's own error. */
const NOT_WORTH_IT = 0.002;

/** Chooses the message length of one link from fed-back channel state and a model's calibration. */
export class RateController {
  readonly #lengths: readonly number[];
  readonly #calibration: Calibration;
  readonly #options: RateControlOptions;
  /** Row of the last `target-accuracy` decision made from fresh state. */
  #lastRow: number | undefined;

  /** @param model lengths k, ascending, and the calibration, whose rows are these lengths */
  constructor(model: { channelUses: readonly number[]; calibration: Calibration }, options: RateControlOptions) {
    this.#lengths = model.channelUses;
    this.#calibration = model.calibration;
    this.#options = options;
  }

  /** Decides for a frame that is about to be encoded. */
  choose(policy: RatePolicy, state: FedBackState | undefined, nowMs: number): RateDecision {
    const ageMs = state ? Math.max(0, nowMs - state.measuredAtMs) : undefined;
    const fresh = state && ageMs! <= this.#options.staleAfterMs ? state : undefined;
    const snrDb = fresh?.snrDb ?? this.#options.unknownSnrDb;
    if (policy.kind === 'fixed') return { channelUses: policy.channelUses, snrDb, reason: 'fixed', ageMs };
    const allowed = policy.kind === 'budget' ? this.#rowsWithin(policy) : this.#lengths.length;
    if (!fresh) {
      this.#lastRow = undefined;
      return { channelUses: this.#lengths[allowed - 1]!, snrDb, reason: 'stale', ageMs };
    }
    const { row, reason } =
      policy.kind === 'budget'
        ? { row: this.#mostAccurate(allowed, fresh), reason: 'budget' as const }
        : this.#leastFor(policy.accuracy, fresh);
    return { channelUses: this.#lengths[row]!, snrDb, reason, ageMs };
  }

  #leastFor(target: number, state: FedBackState): { row: number; reason: RateReason } {
    const meets = (row: number, marginDb: number) =>
      calibratedAccuracy(this.#calibration, state.channelModel, row, state.snrDb - marginDb) >= target;
    const rows = [...this.#lengths.keys()];
    const least = rows.find((row) => meets(row, 0));
    if (least === undefined) {
      this.#lastRow = undefined;
      return { row: this.#mostAccurate(this.#lengths.length, state), reason: 'best-effort' };
    }
    const last = this.#lastRow;
    // Longer at once, shorter only when the target stands with some SNR to spare. A measured table is noisy: that a
    // longer message or a better channel meets the target too is checked, not assumed.
    const row =
      last === undefined || least >= last || !meets(last, 0)
        ? least
        : rows.find((r) => r === last || (r >= least && meets(r, 0) && meets(r, this.#options.hysteresisDb)))!;
    const held = row > least && row === last;
    this.#lastRow = row;
    return { row, reason: held ? 'hold' : 'target' };
  }

  #mostAccurate(rows: number, state: FedBackState): number {
    const accuracy = (row: number) => calibratedAccuracy(this.#calibration, state.channelModel, row, state.snrDb);
    const best = Math.max(...Array.from({ length: rows }, (_, row) => accuracy(row)));
    return Array.from({ length: rows }, (_, row) => row).find((row) => accuracy(row) >= best - NOT_WORTH_IT)!;
  }

  /** How many of the shortest lengths fit the budget; at least one, for a frame must be sent somehow. */
  #rowsWithin(budget: Extract<RatePolicy, { kind: 'budget' }>): number {
    const byTime =
      budget.maxAirTimeSeconds && budget.symbolRateHz ? budget.maxAirTimeSeconds * budget.symbolRateHz : Infinity;
    // k / rate * rate can come out just under k.
    const most = Math.min(budget.maxChannelUses || Infinity, byTime * (1 + 1e-9));
    return Math.max(1, this.#lengths.filter((k) => k <= most).length);
  }
}
