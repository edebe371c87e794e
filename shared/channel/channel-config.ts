import { Code, invalidArgument, SemlinkError } from '../rpc/errors.js';
import { AwgnChannel } from './awgn.js';
import { BlockFading, fastFading } from './block-fading.js';
import {
  type ChannelModelName,
  type ChannelSettings,
  defaultSubcarriers,
  defaultSymbolRateHz,
  type ImpairmentSettings,
  lineOfSightDoppler,
  type MultipathSettings,
} from './channel-settings.js';
import { checkSettings } from './check-settings.js';
import { type ChannelParts, ComposedChannel } from './composed.js';
import { DopplerPaths } from './doppler-paths.js';
import { externalDefaults } from './external.js';
import { type Fading, noFading } from './fading.js';
import { JakesFading } from './jakes.js';
import { createLoss, ErasureLoss, GilbertElliottLoss } from './loss.js';
import type { ChannelModel } from './model.js';
import { OfdmMultipath, TimeDomainMultipath } from './multipath.js';
import { Oscillator } from './oscillator.js';
import { RayleighBlockChannel } from './rayleigh-block.js';
import { loadRecording } from './recording.js';
import { ReplayChannel } from './replay.js';
import { Shadowing } from './shadowing.js';
import { type Multipath, staticMultipath, tdlMultipath } from './tdl.js';
import { TraceFading } from './trace-fading.js';

export {
  type ChannelModelName,
  type ChannelSettings,
  channelModelNames,
  simulatedModelNames,
} from './channel-settings.js';
export { greatestSnrDb, leastSnrDb } from './check-settings.js';

/** Longest delay of a path in the time domain. */
const greatestDelaySymbols = 4096;

/**
 * The model of these settings, with its impairments; a recording is read.
 * @throws SemlinkError INVALID_ARGUMENT naming the setting that is out of range, FAILED_PRECONDITION for a model that is
 * not computed here, and as `loadRecording`
 */
export function createChannelModel(settings: ChannelSettings): ChannelModel {
  checkSettings(settings);
  const { model, snrDb, impairments = {}, symbolRateHz = defaultSymbolRateHz } = settings;
  const parts = impairmentParts(impairments, symbolRateHz);
  const plain = Object.keys(parts).length === 0;
  // The two that most links use, in one call of the kernel.
  if (plain && settings.model === 'awgn') return new AwgnChannel(snrDb);
  if (plain && settings.model === 'rayleigh-block') return new RayleighBlockChannel(snrDb, settings.coherenceSymbols);
  if (settings.model === 'external') {
    throw new SemlinkError(
      Code.FAILED_PRECONDITION,
      'the model external is a process outside; send frames through a channel-emulator, or choose a model that is computed',
    );
  }
  if (settings.model === 'replay') {
    return new ReplayChannel(loadRecording(settings.replay.file), settings.replay, snrDb);
  }
  if (settings.model === 'trace') {
    const { trace, interpolation = 'linear', loop = true } = settings;
    const fading = new TraceFading(trace, interpolation, loop, symbolRateHz);
    return new ComposedChannel(model, fading.meanSnrDb ?? snrDb, { ...parts, fading });
  }
  if (settings.model === 'erasure' || settings.model === 'gilbert-elliott') {
    const loss = settings.model === 'erasure' ? new ErasureLoss(settings) : new GilbertElliottLoss(settings);
    return new ComposedChannel(model, snrDb, { ...parts, fading: noFading, loss });
  }
  return new ComposedChannel(model, snrDb, { ...parts, fading: fadingOf(settings, symbolRateHz) });
}

function impairmentParts(impairments: ImpairmentSettings, symbolRateHz: number): Omit<ChannelParts, 'fading'> {
  const { carrierFrequencyOffsetHz = 0, phaseNoiseLinewidthHz = 0, shadowingSigmaDb = 0, loss } = impairments;
  const turns = carrierFrequencyOffsetHz !== 0 || phaseNoiseLinewidthHz !== 0;
  const decorrelation = impairments.shadowingDecorrelationSeconds ?? 0;
  return {
    ...(turns && { oscillator: new Oscillator(carrierFrequencyOffsetHz, phaseNoiseLinewidthHz, symbolRateHz) }),
    ...(shadowingSigmaDb > 0 && { shadowing: new Shadowing(shadowingSigmaDb, decorrelation, symbolRateHz) }),
    ...(loss && { loss: createLoss(loss) }),
  };
}

function fadingOf(
  settings: Exclude<ChannelSettings, { model: 'trace' | 'erasure' | 'gilbert-elliott' | 'replay' | 'external' }>,
  symbolRateHz: number,
): Fading {
  switch (settings.model) {
    case 'awgn':
      return noFading;
    case 'rayleigh-block':
      return new BlockFading(settings.coherenceSymbols, 0);
    case 'rician-block':
      return new BlockFading(settings.coherenceSymbols, 10 ** (settings.kFactorDb / 10));
    case 'rayleigh-fast':
      return fastFading;
    case 'jakes': {
      const { dopplerHz, kFactorDb } = settings;
      const lineOfSight =
        kFactorDb === undefined
          ? undefined
          : { kFactor: 10 ** (kFactorDb / 10), dopplerHz: lineOfSightDoppler * dopplerHz };
      return new JakesFading(new DopplerPaths(1, dopplerHz, symbolRateHz, lineOfSight));
    }
    case 'taps':
      return multipathFading(staticMultipath(settings.taps, symbolRateHz), settings);
    default: {
      const { model, delaySpreadSeconds, dopplerHz } = settings;
      return multipathFading(tdlMultipath(model, delaySpreadSeconds, dopplerHz, symbolRateHz), settings);
    }
  }
}

function multipathFading({ paths, gains }: Multipath, { timeDomain, subcarriers }: MultipathSettings): Fading {
  if (!timeDomain) return new OfdmMultipath(gains, paths, subcarriers ?? defaultSubcarriers);
  const longest = Math.max(...paths.map(({ delaySymbols }) => delaySymbols));
  if (longest > greatestDelaySymbols) {
    const todo = `use at most ${greatestDelaySymbols}: a shorter delay, a lower symbol rate, or OFDM`;
    throw invalidArgument('longest delay in symbols', longest, todo);
  }
  return new TimeDomainMultipath(gains, paths);
}

/** A channel of each model with parameters that are typical of it: what a person gets who chooses by name alone. */
export function typicalSettings(model: ChannelModelName, snrDb: number): ChannelSettings {
  switch (model) {
    case 'awgn':
    case 'rayleigh-fast':
      return { model, snrDb };
    case 'rayleigh-block':
      return { model, snrDb, coherenceSymbols: 0 };
    case 'rician-block':
      return { model, snrDb, coherenceSymbols: 0, kFactorDb: 10 };
    case 'jakes':
      return { model, snrDb, dopplerHz: 100 };
    case 'taps':
      return { model, snrDb, taps: [{ delaySeconds: 0, powerDb: 0 }], timeDomain: false };
    case 'trace':
      return { model, snrDb, trace: { kind: 'gain', timesSeconds: [0], values: [1, 0] } };
    case 'erasure':
      return { model, snrDb, probability: 0.1, unit: 'frame' };
    case 'gilbert-elliott':
      return { model, snrDb, goodToBad: 0.01, badToGood: 0.1, unit: 'frame', stepSymbols: 64 };
    case 'replay':
      return { model, snrDb, replay: { file: '', mode: 'samples', loop: true } };
    case 'external':
      return { model, snrDb, external: externalDefaults };
    default:
      return { model, snrDb, delaySpreadSeconds: 300e-9, dopplerHz: 100, timeDomain: false };
  }
}
