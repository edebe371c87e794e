import { lineOfSightDoppler, type StaticTap, type TdlModelName } from './channel-settings.js';
import { DopplerPaths } from './doppler-paths.js';
import type { Path } from './multipath.js';
import type { PathGains } from './path-gains.js';
import { StaticPaths } from './path-gains.js';
import { tdlProfiles } from './tdl-profiles.js';
import { cosineOfTurns } from './turns.js';

/** Paths and how their gains move. */
export interface Multipath {
  paths: Path[];
  gains: PathGains;
}

/**
 * TDL-A to TDL-E of 3GPP TR 38.901, 7.7.2: delays of the table times the desired RMS delay spread (7.7.3), powers of the
 * table scaled to sum 1, each tap with a Clarke Doppler spectrum; the first tap of TDL-D and -E also with a line of sight
 * at 0.7 of the maximum Doppler shift.
 */
export function tdlMultipath(
  model: TdlModelName,
  delaySpreadSeconds: number,
  dopplerHz: number,
  symbolRateHz: number,
): Multipath {
  const { taps, lineOfSightDb } = tdlProfiles[model];
  const powers = taps.map(({ powerDb }) => 10 ** (powerDb / 10));
  const direct = lineOfSightDb === undefined ? 0 : 10 ** (lineOfSightDb / 10);
  const kFactor = direct / powers[0]!;
  powers[0]! += direct;
  const total = powers.reduce((sum, power) => sum + power, 0);
  const paths = taps.map(({ delay }, i) => ({
    delaySymbols: delay * delaySpreadSeconds * symbolRateHz,
    re: Math.sqrt(powers[i]! / total),
    im: 0,
  }));
  const lineOfSight = direct > 0 ? { kFactor, dopplerHz: lineOfSightDoppler * dopplerHz } : undefined;
  return { paths, gains: new DopplerPaths(taps.length, dopplerHz, symbolRateHz, lineOfSight) };
}

/** Paths that stand still, scaled together to power 1. */
export function staticMultipath(taps: readonly StaticTap[], symbolRateHz: number): Multipath {
  const powers = taps.map(({ powerDb }) => 10 ** (powerDb / 10));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const paths = taps.map(({ delaySeconds, phaseDegrees = 0 }, i) => {
    const amplitude = Math.sqrt(powers[i]! / total);
    const turns = phaseDegrees / 360;
    return {
      delaySymbols: delaySeconds * symbolRateHz,
      re: amplitude * cosineOfTurns(turns),
      im: amplitude * cosineOfTurns(turns - 0.25),
    };
  });
  return { paths, gains: new StaticPaths(taps.length) };
}
