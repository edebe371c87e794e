import { invalidArgument } from '../rpc/errors.js';
import { AwgnChannel } from './awgn.js';
import type { ChannelModel } from './model.js';
import { RayleighBlockChannel } from './rayleigh-block.js';

export const leastSnrDb = -40;
export const greatestSnrDb = 60;
const greatestCoherence = 2 ** 31;

/** A channel as a person configures it. */
export type ChannelSettings = { snrDb: number } & (
  | { model: 'awgn' }
  | {
      model: 'rayleigh-block';
      /** Symbols that share one gain; 0: one gain per frame. */
      coherenceSymbols: number;
    }
);

export const channelModelNames = ['awgn', 'rayleigh-block'] as const satisfies ChannelSettings['model'][];

/** The model of these settings. @throws SemlinkError INVALID_ARGUMENT naming the setting that is out of range */
export function createChannelModel(settings: ChannelSettings): ChannelModel {
  const { snrDb } = settings;
  if (!(snrDb >= leastSnrDb && snrDb <= greatestSnrDb)) {
    throw invalidArgument('snr_db', snrDb, `use an average Es/N0 of ${leastSnrDb} to ${greatestSnrDb} dB`);
  }
  switch (settings.model) {
    case 'awgn':
      return new AwgnChannel(snrDb);
    case 'rayleigh-block': {
      const { coherenceSymbols } = settings;
      if (!(Number.isInteger(coherenceSymbols) && coherenceSymbols >= 0 && coherenceSymbols <= greatestCoherence)) {
        throw invalidArgument(
          'coherence_symbols',
          coherenceSymbols,
          `use 0 (one gain per frame) to ${greatestCoherence}`,
        );
      }
      return new RayleighBlockChannel(snrDb, coherenceSymbols);
    }
  }
}
