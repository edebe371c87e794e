import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import { ChannelConfigSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { messageOf, settingsFrom } from './channel-messages.js';

describe('channel messages', () => {
  it.each<ChannelSettings>([
    { model: 'awgn', snrDb: -3.5 },
    { model: 'rayleigh-block', snrDb: 12, coherenceSymbols: 16 },
  ])('carry %o there and back', (settings) => {
    expect(settingsFrom(messageOf(settings))).toEqual(settings);
  });

  it('say what is missing', () => {
    expect(() => settingsFrom(undefined)).toThrow('set the channel with a model and snr_db');
    expect(() => settingsFrom(create(ChannelConfigSchema, { snrDb: 1 }))).toThrow('choose awgn or rayleigh_block');
  });
});
