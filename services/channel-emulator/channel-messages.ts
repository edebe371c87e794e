/** Channel settings between their protobuf form and the domain's. */
import { create } from '@bufbuild/protobuf';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import { type ChannelConfig, ChannelConfigSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { invalidArgument } from '../../shared/rpc/errors.js';

/** @throws SemlinkError INVALID_ARGUMENT when no model is chosen; ranges are the domain's to check */
export function settingsFrom(channel: ChannelConfig | undefined): ChannelSettings {
  if (!channel) throw invalidArgument('channel', undefined, 'set the channel with a model and snr_db');
  const { model, snrDb } = channel;
  switch (model.case) {
    case 'awgn':
      return { model: 'awgn', snrDb };
    case 'rayleighBlock':
      return { model: 'rayleigh-block', snrDb, coherenceSymbols: model.value.coherenceSymbols };
    case undefined:
      throw invalidArgument('channel.model', undefined, 'choose awgn or rayleigh_block');
  }
}

export function messageOf(settings: ChannelSettings): ChannelConfig {
  const { snrDb } = settings;
  switch (settings.model) {
    case 'awgn':
      return create(ChannelConfigSchema, { snrDb, model: { case: 'awgn', value: {} } });
    case 'rayleigh-block': {
      const { coherenceSymbols } = settings;
      return create(ChannelConfigSchema, { snrDb, model: { case: 'rayleighBlock', value: { coherenceSymbols } } });
    }
  }
}
