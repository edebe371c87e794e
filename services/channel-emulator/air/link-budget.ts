import { invalidArgument } from '../../../shared/rpc/errors.js';
import { checkNumbers } from './ranges.js';

/**
 * Where the average Es/N0 of a link comes from: SNR = transmit power - path loss - noise floor.
 *
 * Convention: the noise floor is the noise power in the symbol's bandwidth B (matched filter: B = symbol rate), thermal
 * noise and noise figure together, that is -174 dBm/Hz + 10 log10(B) + NF at 290 K. Antenna gains are taken into the
 * transmit power and the path loss.
 */
export interface LinkBudget {
  /** dBm, -100 to 100. */
  readonly transmitPowerDbm: number;
  /** dB, -50 to 300. */
  readonly pathLossDb: number;
  /** dBm, -200 to 50. */
  readonly noiseFloorDbm: number;
}

export const budgetRanges = {
  transmitPowerDbm: { least: -100, greatest: 100, unit: 'dBm' },
  pathLossDb: { least: -50, greatest: 300, unit: 'dB' },
  noiseFloorDbm: { least: -200, greatest: 50, unit: 'dBm' },
} as const;

/**
 * The average Es/N0 in dB that a budget makes, -40 to 60.
 * @throws SemlinkError INVALID_ARGUMENT naming the part that is out of range, or the SNR that comes out
 */
export function budgetSnrDb(budget: LinkBudget): number {
  checkNumbers('budget', budget, budgetRanges);
  const { transmitPowerDbm, pathLossDb, noiseFloorDbm } = budget;
  const snrDb = transmitPowerDbm - pathLossDb - noiseFloorDbm;
  if (snrDb < -40 || snrDb > 60) {
    throw invalidArgument(
      `SNR of ${transmitPowerDbm} dBm - ${pathLossDb} dB - (${noiseFloorDbm} dBm)`,
      snrDb,
      'choose power, path loss and noise floor so that it is -40 to 60 dB',
    );
  }
  return snrDb;
}
