import { Code, SemlinkError } from '../rpc/errors.js';
import { AwgnChannel } from './awgn.js';
import type { ChannelModelName, ChannelSettings } from './channel-settings.js';
import { checkSettings } from './check-settings.js';
import { externalDefaults } from './external.js';
import type { ChannelModel } from './model.js';
import { RayleighBlockChannel } from './rayleigh-block.js';

export {
  type ChannelModelName,
  type ChannelSettings,
  channelModelNames,
  simulatedModelNames,
} from './channel-settings.js';
export { greatestSnrDb, leastSnrDb } from './check-settings.js';

/** The model of these settings. @throws SemlinkError INVALID_ARGUMENT naming the setting that is out of range */
export function createChannelModel(settings: ChannelSettings): ChannelModel {
  checkSettings(settings);
  const { snrDb } = settings;
  switch (settings.model) {
    case 'awgn':
      return new AwgnChannel(snrDb);
    case 'rayleigh-block':
      return new RayleighBlockChannel(snrDb, settings.coherenceSymbols);
    case 'external':
      throw new SemlinkError(
        Code.FAILED_PRECONDITION,
        'the model external is a process outside; send frames through a channel-emulator, or choose a model that is computed',
      );
    default:
      throw new SemlinkError(Code.UNIMPLEMENTED, `channel model ${settings.model}`);
  }
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
    case 'external':
      return { model, snrDb, external: externalDefaults };
    default:
      return { model, snrDb, delaySpreadSeconds: 300e-9, dopplerHz: 100, timeDomain: false };
  }
}
