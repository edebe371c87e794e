/** Channel settings between their protobuf form and the domain's. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import type { MultipathSettings, StaticTap, TdlModelName } from '../../shared/channel/channel-settings.js';
import type { ReplaySettings } from '../../shared/channel/replay.js';
import type { Trace } from '../../shared/channel/trace.js';
import {
  type ChannelConfig,
  ChannelConfigSchema,
  type Multipath,
  type ReplayChannel,
  ReplayMode,
  TdlProfile,
  type TraceChannel,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { invalidArgument } from '../../shared/rpc/errors.js';
import { externalFrom, externalMessage } from './external/external-messages.js';
import {
  erasureFrom,
  erasureMessage,
  gilbertElliottFrom,
  gilbertElliottMessage,
  impairmentsFrom,
  impairmentsMessage,
} from './impairment-messages.js';

type ModelMessage = NonNullable<MessageInitShape<typeof ChannelConfigSchema>['model']>;
type Bare = { snrDb: number } & Pick<ChannelSettings, 'impairments' | 'symbolRateHz'>;

const tdlModels: Partial<Record<TdlProfile, TdlModelName>> = {
  [TdlProfile.A]: 'tdl-a',
  [TdlProfile.B]: 'tdl-b',
  [TdlProfile.C]: 'tdl-c',
  [TdlProfile.D]: 'tdl-d',
  [TdlProfile.E]: 'tdl-e',
};

/**
 * The symbol rate is that of `air`, where the message has it.
 * @throws SemlinkError INVALID_ARGUMENT when no model, profile or unit is chosen; ranges are the domain's to check
 */
export function settingsFrom(channel: ChannelConfig | undefined): ChannelSettings {
  if (!channel) throw invalidArgument('channel', undefined, 'set the channel with a model and snr_db');
  const { model, snrDb, impairments, air } = channel;
  const bare: Bare = {
    snrDb,
    ...(impairments && { impairments: impairmentsFrom(impairments) }),
    ...(air && air.symbolRateHz !== 0 && { symbolRateHz: air.symbolRateHz }),
  };
  switch (model.case) {
    case 'awgn':
      return { model: 'awgn', ...bare };
    case 'rayleighBlock':
      return { model: 'rayleigh-block', ...bare, coherenceSymbols: model.value.coherenceSymbols };
    case 'rayleighFast':
      return { model: 'rayleigh-fast', ...bare };
    case 'ricianBlock': {
      const { coherenceSymbols, kFactorDb } = model.value;
      return { model: 'rician-block', ...bare, coherenceSymbols, kFactorDb };
    }
    case 'jakes': {
      const { dopplerHz, kFactorDb } = model.value;
      return { model: 'jakes', ...bare, dopplerHz, ...(kFactorDb !== undefined && { kFactorDb }) };
    }
    case 'tdl': {
      const { profile, delaySpreadSeconds, dopplerHz, multipath } = model.value;
      const name = tdlModels[profile];
      if (!name) throw invalidArgument('channel.tdl.profile', TdlProfile[profile] ?? profile, 'choose A, B, C, D or E');
      return { model: name, ...bare, delaySpreadSeconds, dopplerHz, ...multipathFrom(multipath) };
    }
    case 'taps': {
      const taps = model.value.taps.map(
        ({ delaySeconds, powerDb, phaseDegrees }): StaticTap => ({ delaySeconds, powerDb, phaseDegrees }),
      );
      return { model: 'taps', ...bare, taps, ...multipathFrom(model.value.multipath) };
    }
    case 'trace': {
      const { hold, once } = model.value;
      const trace = traceFrom(model.value);
      return { model: 'trace', ...bare, trace, interpolation: hold ? 'previous' : 'linear', loop: !once };
    }
    case 'erasure':
      return { model: 'erasure', ...bare, ...erasureFrom(model.value) };
    case 'gilbertElliott':
      return { model: 'gilbert-elliott', ...bare, ...gilbertElliottFrom(model.value) };
    case 'replay':
      return { model: 'replay', ...bare, replay: replayFrom(model.value) };
    case 'external':
      return { model: 'external', ...bare, external: externalFrom(model.value) };
    case undefined: {
      const all =
        'awgn, rayleigh_block, rayleigh_fast, rician_block, jakes, tdl, taps, trace, erasure, gilbert_elliott, replay, external';
      throw invalidArgument('channel.model', undefined, `choose one of ${all}`);
    }
  }
}

/** Model, SNR and impairments of a channel; the symbol rate, which belongs to `air`, is left to the caller. */
export function messageOf(settings: ChannelSettings): ChannelConfig {
  const { snrDb, impairments } = settings;
  return create(ChannelConfigSchema, {
    snrDb,
    model: modelMessage(settings),
    ...(impairments && { impairments: impairmentsMessage(impairments) }),
  });
}

function modelMessage(settings: ChannelSettings): ModelMessage {
  switch (settings.model) {
    case 'awgn':
      return { case: 'awgn', value: {} };
    case 'rayleigh-block':
      return { case: 'rayleighBlock', value: { coherenceSymbols: settings.coherenceSymbols } };
    case 'rayleigh-fast':
      return { case: 'rayleighFast', value: {} };
    case 'rician-block': {
      const { coherenceSymbols, kFactorDb } = settings;
      return { case: 'ricianBlock', value: { coherenceSymbols, kFactorDb } };
    }
    case 'jakes': {
      const { dopplerHz, kFactorDb } = settings;
      return { case: 'jakes', value: { dopplerHz, ...(kFactorDb !== undefined && { kFactorDb }) } };
    }
    case 'taps':
      return { case: 'taps', value: { taps: [...settings.taps], multipath: multipathMessage(settings) } };
    case 'trace': {
      const { trace, interpolation, loop } = settings;
      const values = Array.from(trace.values);
      return {
        case: 'trace',
        value: {
          timesSeconds: Array.from(trace.timesSeconds),
          ...(trace.kind === 'snr' ? { snrDb: values } : { gains: values }),
          hold: interpolation === 'previous',
          once: loop === false,
        },
      };
    }
    case 'erasure':
      return { case: 'erasure', value: erasureMessage(settings) };
    case 'gilbert-elliott':
      return { case: 'gilbertElliott', value: gilbertElliottMessage(settings) };
    case 'replay': {
      const { file, mode, loop, start } = settings.replay;
      const value = { file, mode: mode === 'channel' ? ReplayMode.CHANNEL : ReplayMode.SAMPLES, once: !loop };
      return { case: 'replay', value: { ...value, ...(start !== undefined && { start: BigInt(start) }) } };
    }
    case 'external':
      return { case: 'external', value: externalMessage(settings.external) };
    default: {
      const { delaySpreadSeconds, dopplerHz } = settings;
      const profile = TdlProfile[settings.model.at(-1)!.toUpperCase() as 'A' | 'B' | 'C' | 'D' | 'E'];
      const multipath = multipathMessage(settings);
      return { case: 'tdl', value: { profile, delaySpreadSeconds, dopplerHz, multipath } };
    }
  }
}

function replayFrom({ file, mode, once, start }: ReplayChannel): ReplaySettings {
  return {
    file,
    mode: mode === ReplayMode.CHANNEL ? 'channel' : 'samples',
    loop: !once,
    ...(start !== undefined && { start: Number(start) }),
  };
}

function multipathFrom(multipath: Multipath | undefined): MultipathSettings {
  const { timeDomain = false, subcarriers = 0 } = multipath ?? {};
  return { timeDomain, ...(subcarriers !== 0 && { subcarriers }) };
}

function multipathMessage({ timeDomain, subcarriers }: MultipathSettings) {
  return { timeDomain, subcarriers: subcarriers ?? 0 };
}

function traceFrom({ timesSeconds, snrDb, gains }: TraceChannel): Trace {
  if (snrDb.length > 0 === gains.length > 0) {
    const given = `${snrDb.length} of SNR and ${gains.length} of gain`;
    throw invalidArgument('number of trace values', given, 'give either snr_db or gains');
  }
  return snrDb.length > 0
    ? { kind: 'snr', timesSeconds, values: snrDb }
    : { kind: 'gain', timesSeconds, values: gains };
}
