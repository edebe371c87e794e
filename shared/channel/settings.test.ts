import { describe, expect, it } from 'vitest';
import { type ChannelSettings, createChannelModel, simulatedModelNames, typicalSettings } from './channel-config.js';

const tdl = { model: 'tdl-a', snrDb: 10, delaySpreadSeconds: 1e-7, dopplerHz: 10, timeDomain: false } as const;
const chain = { model: 'gilbert-elliott', snrDb: 10, goodToBad: 0.1, badToGood: 0.2, unit: 'frame' } as const;
const tap = { delaySeconds: 0, powerDb: 0 };
const taps = { model: 'taps', snrDb: 10, timeDomain: false, taps: [tap] } as const;
const trace = (timesSeconds: number[], values: number[], kind: 'snr' | 'gain' = 'snr') =>
  ({ model: 'trace', snrDb: 10, trace: { kind, timesSeconds, values } }) as const;
const impaired = (impairments: ChannelSettings['impairments']) =>
  ({ model: 'awgn', snrDb: 10, impairments }) as ChannelSettings;

/** Every parameter at both of its ends, one step outside. */
const wrong: [unknown, string][] = [
  [{ model: 'awgn', snrDb: 60.1 }, 'snr_db is 60.1; use an average Es/N0 of -40 to 60 dB'],
  [{ model: 'awgn', snrDb: Number.NaN }, 'snr_db is NaN;'],
  [{ model: 'awgn', snrDb: 10, symbolRateHz: 0.5 }, 'symbol_rate_hz is 0.5; use 1 to 1e12 symbols a second'],
  [{ model: 'awgn', snrDb: 10, symbolRateHz: Number.POSITIVE_INFINITY }, 'symbol_rate_hz is Infinity'],
  [{ model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 2.5 }, 'coherence_symbols is 2.5'],
  [{ model: 'rician-block', snrDb: 10, coherenceSymbols: -1, kFactorDb: 0 }, 'coherence_symbols is -1'],
  [{ model: 'rician-block', snrDb: 10, coherenceSymbols: 0, kFactorDb: 61 }, 'k_factor_db is 61; use -40 to 60 dB'],
  [{ model: 'rician-block', snrDb: 10, coherenceSymbols: 0, kFactorDb: Number.NaN }, 'k_factor_db is NaN'],
  [{ model: 'jakes', snrDb: 10, dopplerHz: -1 }, 'doppler_hz is -1; use 0 to half of the symbol rate, 500000 Hz'],
  [{ model: 'jakes', snrDb: 10, dopplerHz: 501, symbolRateHz: 1000 }, 'doppler_hz is 501; use 0 to half of the symbol'],
  [{ model: 'jakes', snrDb: 10, dopplerHz: 1, kFactorDb: -41 }, 'k_factor_db is -41'],
  [{ ...tdl, delaySpreadSeconds: -1e-9 }, 'delay_spread_seconds is -1e-9; use 0 to 10 us'],
  [{ ...tdl, delaySpreadSeconds: 2e-5 }, 'delay_spread_seconds is 0.00002'],
  [{ ...tdl, dopplerHz: 6e5 }, 'doppler_hz is 600000'],
  [{ ...tdl, subcarriers: 0 }, 'subcarriers is 0; use 1 to 4096'],
  [{ ...tdl, subcarriers: 4097 }, 'subcarriers is 4097'],
  [{ ...taps, taps: [] }, 'number of taps is 0; use 1 to 64 paths'],
  [{ ...taps, taps: Array(65).fill(tap) }, 'number of taps is 65'],
  [{ ...taps, taps: [tap, { delaySeconds: 2e-3, powerDb: 0 }] }, 'taps[1].delay_seconds is 0.002; use 0 to 1 ms'],
  [{ ...taps, taps: [{ delaySeconds: 0, powerDb: 101 }] }, 'taps[0].power_db is 101'],
  [{ ...taps, taps: [{ ...tap, phaseDegrees: 361 }] }, 'taps[0].phase_degrees is 361'],
  [trace([], []), 'number of trace points is 0'],
  [trace([0, 1], [1]), 'number of trace values is 1; 2 times need 2'],
  [trace([0, 1], [1, Number.NaN]), 'SNR of trace point 1 is NaN'],
  [trace([0, Number.NaN], [1, 1]), 'time of trace point 1 is NaN; times must rise strictly; the one before is 0 s'],
  [trace([0, 0], [1, 1]), 'time of trace point 1 is 0'],
  [trace([0, 1], [1, 0, Number.POSITIVE_INFINITY, 0], 'gain'), 're of trace point 1 is Infinity'],
  [trace([0, 1], [0, 0, 0, 0], 'gain'), 'power of the trace is 0'],
  [{ ...trace([0, 1], [0, 0, 1, 0], 'gain'), interpolation: 'previous', loop: false }, 'mean power of the trace is 0'],
  [{ model: 'erasure', snrDb: 10, probability: 1.01, unit: 'frame' }, 'erasure probability is 1.01'],
  [{ model: 'erasure', snrDb: 10, probability: 0.1, unit: 'bit' }, 'loss unit is "bit"; use frame or symbol'],
  [{ ...chain, goodToBad: 0 }, 'good_to_bad is 0; use a probability over 0'],
  [{ ...chain, badToGood: 0 }, 'bad_to_good is 0'],
  [{ ...chain, goodToBad: 0.9 }, 'good_to_bad + bad_to_good is 1.1; use a sum of 0.00001 to 1'],
  [{ ...chain, goodToBad: 1e-6, badToGood: 1e-6 }, 'good_to_bad + bad_to_good is 0.000002'],
  [{ ...chain, lossGood: -0.1 }, 'loss_good is -0.1'],
  [{ ...chain, lossBad: 2 }, 'loss_bad is 2'],
  [{ ...chain, stepSymbols: 0 }, 'step_symbols is 0'],
  [
    impaired({ carrierFrequencyOffsetHz: 500_001 }),
    'carrier_frequency_offset_hz is 500001; use -1/2 to 1/2 of the symbol',
  ],
  [impaired({ phaseNoiseLinewidthHz: -1 }), 'phase_noise_linewidth_hz is -1'],
  [impaired({ shadowingSigmaDb: 21 }), 'shadowing_sigma_db is 21; use 0 (none) to 20 dB'],
  [impaired({ shadowingDecorrelationSeconds: Number.NaN }), 'shadowing_decorrelation_seconds is NaN'],
  [impaired({ loss: { kind: 'erasure', probability: Number.NaN, unit: 'frame' } }), 'erasure probability is NaN'],
  [impaired({ loss: { ...chain, kind: 'gilbert-elliott', badToGood: 0.95 } }), 'good_to_bad + bad_to_good is 1.0'],
];

describe('settings', () => {
  it.each(wrong)('out of range are refused by name, value and range: %o', (settings, message) => {
    expect(() => createChannelModel(settings as ChannelSettings)).toThrow(message);
    expect(() => createChannelModel(settings as ChannelSettings)).toThrow(expect.objectContaining({ code: 3 }));
  });

  it('of a model outside are no model here', () => {
    expect(() => createChannelModel(typicalSettings('external', 10))).toThrow('a process outside');
  });

  it.each(simulatedModelNames)('typical of %s make a model of that name', (name) => {
    expect(createChannelModel(typicalSettings(name, 3)).name).toBe(name);
  });
});
