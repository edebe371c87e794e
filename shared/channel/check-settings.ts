import { invalidArgument } from '../rpc/errors.js';
import {
  type ChannelSettings,
  defaultSymbolRateHz,
  type ErasureSettings,
  type GilbertElliottSettings,
  type ImpairmentSettings,
  type LossUnit,
  type MultipathSettings,
  type StaticTap,
} from './channel-settings.js';
import { checkExternal } from './external.js';
import { checkReplay } from './replay.js';
import { checkTrace } from './trace.js';

export const leastSnrDb = -40;
export const greatestSnrDb = 60;
export const greatestCoherence = 2 ** 31;
export const greatestSubcarriers = 4096;
export const greatestTaps = 64;

/**
 * Checks every number of a channel's settings.
 * @throws SemlinkError INVALID_ARGUMENT with what is out of range, its value and the range
 */
export function checkSettings(settings: ChannelSettings): void {
  checkRange('snr_db', settings.snrDb, leastSnrDb, greatestSnrDb, 'an average Es/N0 of -40 to 60 dB');
  const symbolRateHz = settings.symbolRateHz ?? defaultSymbolRateHz;
  checkRange('symbol_rate_hz', symbolRateHz, 1, 1e12, '1 to 1e12 symbols a second');
  checkFading(settings, symbolRateHz);
  if (settings.impairments) checkImpairments(settings.impairments, symbolRateHz);
}

function checkFading(settings: ChannelSettings, symbolRateHz: number): void {
  switch (settings.model) {
    case 'awgn':
    case 'rayleigh-fast':
      return;
    case 'rayleigh-block':
      checkCoherence(settings.coherenceSymbols);
      return;
    case 'rician-block':
      checkCoherence(settings.coherenceSymbols);
      checkKFactor(settings.kFactorDb);
      return;
    case 'jakes':
      checkDoppler(settings.dopplerHz, symbolRateHz);
      if (settings.kFactorDb !== undefined) checkKFactor(settings.kFactorDb);
      return;
    case 'taps':
      checkTaps(settings.taps);
      checkMultipath(settings);
      return;
    case 'trace':
      checkTrace(settings.trace);
      return;
    case 'erasure':
      checkErasure(settings);
      return;
    case 'gilbert-elliott':
      checkGilbertElliott(settings);
      return;
    case 'replay':
      checkReplay(settings.replay);
      checkNoImpairments(settings, 'the recording');
      return;
    case 'external':
      checkExternal(settings.external);
      checkNoImpairments(settings, 'the outside process');
      return;
    default:
      checkRange('delay_spread_seconds', settings.delaySpreadSeconds, 0, 1e-5, '0 to 10 us (0.00001)');
      checkDoppler(settings.dopplerHz, symbolRateHz);
      checkMultipath(settings);
  }
}

function checkNoImpairments({ impairments }: ChannelSettings, whole: string): void {
  if (impairments) throw invalidArgument('impairments', impairments, `${whole} is the whole channel; leave them out`);
}

function checkImpairments(impairments: ImpairmentSettings, symbolRateHz: number): void {
  const {
    carrierFrequencyOffsetHz = 0,
    phaseNoiseLinewidthHz = 0,
    shadowingSigmaDb = 0,
    shadowingDecorrelationSeconds = 0,
    loss,
  } = impairments;
  const half = symbolRateHz / 2;
  const rate = 'of the symbol rate, in Hz';
  checkRange('carrier_frequency_offset_hz', carrierFrequencyOffsetHz, -half, half, `-1/2 to 1/2 ${rate}`);
  checkRange('phase_noise_linewidth_hz', phaseNoiseLinewidthHz, 0, symbolRateHz, `0 to 1 ${rate}`);
  checkRange('shadowing_sigma_db', shadowingSigmaDb, 0, 20, '0 (none) to 20 dB');
  const most = 1e9;
  checkRange('shadowing_decorrelation_seconds', shadowingDecorrelationSeconds, 0, most, '0 (constant) to 1e9 s');
  if (loss?.kind === 'erasure') checkErasure(loss);
  if (loss?.kind === 'gilbert-elliott') checkGilbertElliott(loss);
}

function checkCoherence(coherenceSymbols: number): void {
  checkInteger('coherence_symbols', coherenceSymbols, 0, greatestCoherence, `0 (one gain per frame) to ${2 ** 31}`);
}

function checkKFactor(kFactorDb: number): void {
  checkRange('k_factor_db', kFactorDb, -40, 60, '-40 to 60 dB');
}

function checkDoppler(dopplerHz: number, symbolRateHz: number): void {
  const half = symbolRateHz / 2;
  checkRange('doppler_hz', dopplerHz, 0, half, `0 to half of the symbol rate, ${half} Hz`);
}

function checkMultipath({ subcarriers }: MultipathSettings): void {
  if (subcarriers === undefined) return;
  checkInteger('subcarriers', subcarriers, 1, greatestSubcarriers, `1 to ${greatestSubcarriers}`);
}

function checkTaps(taps: readonly StaticTap[]): void {
  checkInteger('number of taps', taps.length, 1, greatestTaps, `1 to ${greatestTaps} paths`);
  for (const [i, { delaySeconds, powerDb, phaseDegrees = 0 }] of taps.entries()) {
    checkRange(`taps[${i}].delay_seconds`, delaySeconds, 0, 1e-3, '0 to 1 ms (0.001)');
    checkRange(`taps[${i}].power_db`, powerDb, -100, 100, '-100 to 100 dB');
    checkRange(`taps[${i}].phase_degrees`, phaseDegrees, -360, 360, '-360 to 360 degrees');
  }
}

function checkErasure({ probability, unit }: ErasureSettings): void {
  checkProbability('erasure probability', probability);
  checkUnit(unit);
}

function checkGilbertElliott(settings: GilbertElliottSettings): void {
  const { goodToBad, badToGood, lossGood = 0, lossBad = 1, unit, stepSymbols = 1 } = settings;
  checkProbability('good_to_bad', goodToBad);
  checkProbability('bad_to_good', badToGood);
  if (goodToBad === 0)
    throw invalidArgument('good_to_bad', 0, 'use a probability over 0: the bad state must be reached');
  if (badToGood === 0) throw invalidArgument('bad_to_good', 0, 'use a probability over 0: the bad state must be left');
  checkRange('good_to_bad + bad_to_good', goodToBad + badToGood, 1e-5, 1, 'a sum of 0.00001 to 1');
  checkProbability('loss_good', lossGood);
  checkProbability('loss_bad', lossBad);
  checkUnit(unit);
  checkInteger('step_symbols', stepSymbols, 1, 2 ** 31, `1 to ${2 ** 31} symbols`);
}

function checkUnit(unit: LossUnit): void {
  if (unit !== 'frame' && unit !== 'symbol') throw invalidArgument('loss unit', unit, 'use frame or symbol');
}

/** @throws SemlinkError INVALID_ARGUMENT unless 0 <= value <= 1 */
export function checkProbability(what: string, value: number): void {
  checkRange(what, value, 0, 1, 'a probability of 0 to 1');
}

function checkRange(what: string, value: number, least: number, most: number, range: string): void {
  if (!(value >= least && value <= most)) throw invalidArgument(what, value, `use ${range}`);
}

function checkInteger(what: string, value: number, least: number, most: number, range: string): void {
  if (!Number.isInteger(value)) throw invalidArgument(what, value, `use ${range}`);
  checkRange(what, value, least, most, range);
}
