import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import { tdlModelNames } from '../../shared/channel/channel-settings.js';
import { externalDefaults } from '../../shared/channel/external.js';
import { ChannelConfigSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { AirConfigSchema } from '../../shared/gen/semlink/v1/channel_link_pb.js';
import { messageOf, settingsFrom } from './channel-messages.js';

type ModelInit = NonNullable<MessageInitShape<typeof ChannelConfigSchema>['model']>;

describe('channel messages', () => {
  const multipath = { delaySpreadSeconds: 3e-7, dopplerHz: 50 };
  const chain = { goodToBad: 0.01, badToGood: 0.1, unit: 'frame', stepSymbols: 64 } as const;
  it.each<ChannelSettings>([
    { model: 'awgn', snrDb: -3.5 },
    { model: 'rayleigh-block', snrDb: 12, coherenceSymbols: 16 },
    { model: 'rayleigh-fast', snrDb: 1 },
    { model: 'external', snrDb: 1, external: { ...externalDefaults, form: 'srsran', pilotSymbols: 3 } },
    {
      model: 'replay',
      snrDb: 1,
      replay: { file: '/a.sigmf-meta#b', mode: 'channel', loop: false, start: 2 ** 53 - 1 },
    },
    { model: 'replay', snrDb: 1, replay: { file: '/a.sigmf-meta', mode: 'samples', loop: true } },
    { model: 'rician-block', snrDb: 1, coherenceSymbols: 0, kFactorDb: -3 },
    { model: 'jakes', snrDb: 1, dopplerHz: 70 },
    { model: 'jakes', snrDb: 1, dopplerHz: 70, kFactorDb: 0 },
    ...tdlModelNames.map((model) => ({ model, snrDb: 1, ...multipath, timeDomain: false, subcarriers: 128 })),
    { model: 'tdl-c', snrDb: 1, ...multipath, timeDomain: true },
    {
      model: 'taps',
      snrDb: 1,
      timeDomain: false,
      taps: [
        { delaySeconds: 0, powerDb: 0, phaseDegrees: 0 },
        { delaySeconds: 1e-6, powerDb: -3, phaseDegrees: 90 },
      ],
    },
    {
      model: 'trace',
      snrDb: 1,
      trace: { kind: 'snr', timesSeconds: [0, 1], values: [10, 0] },
      interpolation: 'previous',
      loop: false,
    },
    {
      model: 'trace',
      snrDb: 1,
      trace: { kind: 'gain', timesSeconds: [0, 1], values: [1, 0, 0, 1] },
      interpolation: 'linear',
      loop: true,
    },
    { model: 'erasure', snrDb: 1, probability: 0.25, unit: 'symbol' },
    { model: 'gilbert-elliott', snrDb: 1, ...chain, lossGood: 0, lossBad: 0.5 },
    {
      model: 'awgn',
      snrDb: 1,
      impairments: {
        carrierFrequencyOffsetHz: -100,
        phaseNoiseLinewidthHz: 10,
        shadowingSigmaDb: 6,
        shadowingDecorrelationSeconds: 0.5,
        loss: { kind: 'gilbert-elliott', ...chain },
      },
    },
    {
      model: 'jakes',
      snrDb: 1,
      dopplerHz: 1,
      impairments: { loss: { kind: 'erasure', probability: 0, unit: 'frame' } },
    },
  ])('carry %o there and back, over the wire', (settings) => {
    const message = fromBinary(ChannelConfigSchema, toBinary(ChannelConfigSchema, messageOf(settings)));
    expect(settingsFrom(message)).toEqual(settings);
  });

  it('take the symbol rate from the air', () => {
    const air = create(AirConfigSchema, { symbolRateHz: 2.5e6 });
    const message = create(ChannelConfigSchema, { snrDb: 1, model: { case: 'awgn', value: {} }, air });
    expect(settingsFrom(message)).toEqual({ model: 'awgn', snrDb: 1, symbolRateHz: 2.5e6 });
  });

  it('say what is missing', () => {
    expect(() => settingsFrom(undefined)).toThrow('set the channel with a model and snr_db');
    expect(() => settingsFrom(create(ChannelConfigSchema, { snrDb: 1 }))).toThrow('choose one of awgn, rayleigh_block');
    const of = (model: ModelInit) => () => settingsFrom(create(ChannelConfigSchema, { snrDb: 1, model }));
    expect(of({ case: 'tdl', value: {} })).toThrow('channel.tdl.profile is "UNSPECIFIED"; choose A, B, C, D or E');
    expect(of({ case: 'trace', value: { timesSeconds: [0] } })).toThrow('give either snr_db or gains');
    expect(of({ case: 'trace', value: { timesSeconds: [0], snrDb: [1], gains: [1, 0] } })).toThrow(
      'number of trace values is "1 of SNR and 2 of gain"; give either snr_db or gains',
    );
    expect(of({ case: 'erasure', value: { unit: 7 as never } })).toThrow('loss unit is 7; use LOSS_UNIT_FRAME');
  });
});
