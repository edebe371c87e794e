import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { channelModelNames, typicalSettings } from '../../../shared/channel/channel-config.js';
import { ChannelConfigSchema } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { linkMessageOf, linkSettingsFrom } from './link-messages.js';
import { plainSettings, resolveSettings } from './link-settings.js';

const plain = plainSettings({ model: 'awgn', snrDb: 7 });
const full = {
  ...plain,
  budget: { transmitPowerDbm: 20, pathLossDb: 100, noiseFloorDbm: -100 },
  air: {
    symbolRateHz: 5e5,
    realTime: true,
    propagationDelayMs: 1.25,
    processingDelayMs: 2,
    jitterMs: 0.5,
    reorder: true,
    maxWaitMs: 40,
  },
  feedback: {
    pilots: { count: 4, powerDb: 3, equalise: true },
    bits: 4,
    leastSnrDb: -6,
    greatestSnrDb: 26,
    delayMs: 12.5,
    lossProbability: 0.1,
  },
};

describe('messages of a link', () => {
  it.each(channelModelNames)('carry %s with everything else there and back, over the wire', (model) => {
    const settings = { ...full, channel: typicalSettings(model, 20) };
    const bytes = toBinary(ChannelConfigSchema, linkMessageOf(settings));
    const back = linkSettingsFrom(fromBinary(ChannelConfigSchema, bytes), plain);
    expect(resolveSettings(back)).toMatchObject(resolveSettings(settings));
  });

  it('leave air and feedback as they were when they have none', () => {
    const message = create(ChannelConfigSchema, { snrDb: 3, model: { case: 'awgn', value: {} } });
    expect(linkSettingsFrom(message, full)).toEqual({ ...full, budget: null, channel: { model: 'awgn', snrDb: 3 } });
  });

  it('contradict themselves when SNR and budget disagree', () => {
    const message = linkMessageOf({ ...full, channel: { model: 'awgn', snrDb: 3 } });
    expect(() => linkSettingsFrom(message, plain)).toThrow(
      'channel.snr_db is 3; leave it out: channel.link_budget makes it 20 dB',
    );
    message.snrDb = 0;
    expect(resolveSettings(linkSettingsFrom(message, plain)).channel.snrDb).toBe(20);
  });
});
