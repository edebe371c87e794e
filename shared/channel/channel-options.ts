import { z } from 'zod';
import { option } from '../config/index.js';
import { invalidArgument } from '../rpc/errors.js';
import {
  type ChannelSettings,
  channelModelNames,
  defaultSubcarriers,
  type ImpairmentSettings,
  type LossSettings,
  type MultipathSettings,
  type StaticTap,
} from './channel-settings.js';
import { checkSettings, greatestCoherence, greatestSnrDb, greatestSubcarriers, leastSnrDb } from './check-settings.js';
import { type ExternalSettings, externalDefaults, externalForms, externalLimits } from './external.js';
import { replayModes } from './replay.js';
import { loadTrace } from './trace-file.js';

const probability = () => z.number().min(0).max(1);

/**
 * A channel as flags, variables and files say it: flat, every option with a default, of which a model uses its own and
 * leaves the others. Used by the channel-emulator (`channel.`) and by commands that set channels.
 */
export const channelOptions = {
  model: option(z.enum(channelModelNames).default('awgn'), { description: 'Channel model.' }),
  snrDb: option(z.number().min(leastSnrDb).max(greatestSnrDb).default(10), {
    description: 'Average Es/N0; a trace of SNR brings its own.',
    unit: 'dB',
  }),
  coherenceSymbols: option(z.int().min(0).max(greatestCoherence).default(0), {
    description: 'rayleigh-block, rician-block: symbols that share one gain; 0: one gain per frame.',
    unit: 'symbols',
  }),
  kFactorDb: option(z.number().min(-40).max(60).optional(), {
    description:
      'rician-block, jakes: power of the line of sight over the rest; default 10 dB for rician-block, no line of sight for jakes.',
    unit: 'dB',
  }),
  dopplerHz: option(z.number().min(0).default(0), {
    description: 'jakes, tdl-*: maximum Doppler shift, at most half the symbol rate.',
    unit: 'Hz',
  }),
  delaySpreadSeconds: option(z.number().min(0).max(1e-5).default(3e-7), {
    description: 'tdl-*: RMS delay spread.',
    unit: 's',
  }),
  timeDomain: option(z.boolean().default(false), {
    description: 'tdl-*, taps: symbols are convolved with the channel instead of riding OFDM subcarriers.',
  }),
  subcarriers: option(z.int().min(1).max(greatestSubcarriers).default(defaultSubcarriers), {
    description: 'tdl-*, taps: OFDM subcarriers.',
  }),
  taps: option(z.array(z.string()).default([]), {
    description: 'taps: paths as DELAY:POWER:PHASE in seconds, dB and degrees, for example 0:0:0,1e-6:-3:90.',
    placeholder: 'DELAY:POWER[:PHASE],...',
  }),
  traceFile: option(z.string().default(''), {
    description:
      'trace: a .csv, .jsonl or .parquet file with the columns time_s and snr_db, or time_s, re and im; times rise. Or a recording, FILE.sigmf-meta#LINK.',
    placeholder: 'FILE',
  }),
  traceInterpolation: option(z.enum(['linear', 'previous']).default('linear'), {
    description: 'trace: what holds between two points.',
  }),
  traceLoop: option(z.boolean().default(true), {
    description: 'trace: starts over at the end; otherwise the last value stays.',
  }),
  replayFile: option(z.string().default(''), {
    description: 'replay: a recording of the air, FILE.sigmf-meta, with #LINK where it has several links.',
    placeholder: 'FILE',
  }),
  replayMode: option(z.enum(replayModes).default('samples'), {
    description:
      'replay: samples, what was received, whatever is sent; or channel, the recorded gains and noise on what is sent.',
  }),
  replayLoop: option(z.boolean().default(true), {
    description: 'replay: starts over at the end; otherwise later frames fail.',
  }),
  loss: option(z.enum(['none', 'erasure', 'gilbert-elliott']).default('none'), {
    description: 'Loss on top of any model; the models erasure and gilbert-elliott have it in any case.',
  }),
  lossUnit: option(z.enum(['frame', 'symbol']).default('frame'), { description: 'What is lost at once.' }),
  lossProbability: option(probability().default(0.1), { description: 'erasure: probability of loss.' }),
  goodToBad: option(probability().default(0.01), {
    description: 'gilbert-elliott: probability that a good step is followed by a bad one.',
  }),
  badToGood: option(probability().default(0.1), {
    description: 'gilbert-elliott: probability that a bad step is followed by a good one.',
  }),
  lossGood: option(probability().default(0), { description: 'gilbert-elliott: probability of loss in a good step.' }),
  lossBad: option(probability().default(1), { description: 'gilbert-elliott: probability of loss in a bad step.' }),
  lossStepSymbols: option(
    z
      .int()
      .min(1)
      .max(2 ** 31)
      .default(64),
    {
      description: 'gilbert-elliott: symbols from one step to the next.',
      unit: 'symbols',
    },
  ),
  carrierFrequencyOffsetHz: option(z.number().default(0), {
    description: 'Carrier frequency offset, at most half the symbol rate either way.',
    unit: 'Hz',
  }),
  phaseNoiseLinewidthHz: option(z.number().min(0).default(0), {
    description: 'Linewidth of a free-running oscillator; 0: no phase noise.',
    unit: 'Hz',
  }),
  shadowingSigmaDb: option(z.number().min(0).max(20).default(0), {
    description: 'Standard deviation of log-normal shadowing; 0: none.',
    unit: 'dB',
  }),
  shadowingDecorrelationSeconds: option(z.number().min(0).max(1e9).default(0), {
    description: 'Time over which shadowing decorrelates to 1/e; 0: one value a link for all time.',
    unit: 's',
  }),
  externalForm: option(z.enum(externalForms).default(externalDefaults.form), {
    description:
      'external: how symbols travel over ZeroMQ as cf32: push-pull and req-rep as blocks of GNU Radio, srsran as its RF driver.',
  }),
  externalSend: option(z.string().default(externalDefaults.send), {
    description: 'external: address on which symbols go out; this end binds it.',
    placeholder: 'tcp://HOST:PORT',
  }),
  externalReceive: option(z.string().default(externalDefaults.receive), {
    description: 'external: address from which they come back; the process binds it.',
    placeholder: 'tcp://HOST:PORT',
  }),
  externalTimeoutMs: option(z.int().min(1).max(externalLimits.timeoutMs).default(externalDefaults.timeoutMs), {
    description: 'external: a frame fails when nothing came back for so long.',
    unit: 'ms',
  }),
  externalDelaySymbols: option(z.int().min(0).max(externalLimits.delaySymbols).default(0), {
    description: 'external: symbols by which what comes back lags; counts only where known symbols cannot show it.',
    unit: 'symbols',
  }),
  externalMultipleSymbols: option(
    z.int().min(1).max(externalLimits.multipleSymbols).default(externalDefaults.multipleSymbols),
    {
      description: 'external: the process works in blocks of so many symbols; bursts are filled up with zeros.',
      unit: 'symbols',
    },
  ),
  externalPilotSymbols: option(z.int().min(0).max(externalLimits.pilotSymbols).default(0), {
    description:
      'external: known symbols before each frame, from which gain and noise are estimated; 0: gain 1 and the SNR given.',
    unit: 'symbols',
  }),
};

/** The values of `channelOptions`. */
export type ChannelOptions = z.output<z.ZodObject<typeof channelOptions>>;

/**
 * The settings that options say; reads the trace file where the model is `trace`.
 * @param symbolRateHz of the link, for what is bounded by it
 * @throws SemlinkError INVALID_ARGUMENT naming the setting, or the line of the trace, that is wrong
 */
export async function settingsFromOptions(options: ChannelOptions, symbolRateHz?: number): Promise<ChannelSettings> {
  const impairments = impairmentsOf(options);
  const settings = {
    snrDb: options.snrDb,
    ...(symbolRateHz !== undefined && { symbolRateHz }),
    ...(Object.keys(impairments).length > 0 && { impairments }),
    ...(await fadingOf(options)),
  } as ChannelSettings;
  checkSettings(settings);
  return settings;
}

async function fadingOf(options: ChannelOptions) {
  const { model, coherenceSymbols, kFactorDb, dopplerHz, delaySpreadSeconds } = options;
  switch (model) {
    case 'awgn':
    case 'rayleigh-fast':
      return { model };
    case 'rayleigh-block':
      return { model, coherenceSymbols };
    case 'rician-block':
      return { model, coherenceSymbols, kFactorDb: kFactorDb ?? 10 };
    case 'jakes':
      return { model, dopplerHz, ...(kFactorDb !== undefined && { kFactorDb }) };
    case 'taps':
      return { model, taps: options.taps.map(tapFrom), ...multipathOf(options) };
    case 'trace': {
      const { traceInterpolation: interpolation, traceLoop: loop } = options;
      if (options.traceFile === '') {
        throw invalidArgument('trace file', '', 'name a .csv, .jsonl or .parquet file for the model trace');
      }
      return { model, trace: await loadTrace(options.traceFile), interpolation, loop };
    }
    case 'erasure':
    case 'gilbert-elliott': {
      const { kind: _, ...loss } = lossOf(options, model);
      return { model, ...loss };
    }
    case 'replay': {
      const { replayFile: file, replayMode: mode, replayLoop: loop } = options;
      return { model, replay: { file, mode, loop } };
    }
    case 'external':
      return { model, external: externalOf(options) };
    default:
      return { model, delaySpreadSeconds, dopplerHz, ...multipathOf(options) };
  }
}

function externalOf(options: ChannelOptions): ExternalSettings {
  return {
    form: options.externalForm,
    send: options.externalSend,
    receive: options.externalReceive,
    timeoutMs: options.externalTimeoutMs,
    delaySymbols: options.externalDelaySymbols,
    multipleSymbols: options.externalMultipleSymbols,
    pilotSymbols: options.externalPilotSymbols,
  };
}

function impairmentsOf(options: ChannelOptions): ImpairmentSettings {
  const { carrierFrequencyOffsetHz, phaseNoiseLinewidthHz, shadowingSigmaDb, shadowingDecorrelationSeconds } = options;
  return {
    ...(carrierFrequencyOffsetHz !== 0 && { carrierFrequencyOffsetHz }),
    ...(phaseNoiseLinewidthHz !== 0 && { phaseNoiseLinewidthHz }),
    ...(shadowingSigmaDb !== 0 && { shadowingSigmaDb, shadowingDecorrelationSeconds }),
    ...(options.loss !== 'none' && { loss: lossOf(options, options.loss) }),
  };
}

function lossOf(options: ChannelOptions, kind: LossSettings['kind']): LossSettings {
  const { lossUnit: unit, goodToBad, badToGood, lossGood, lossBad, lossStepSymbols: stepSymbols } = options;
  return kind === 'erasure'
    ? { kind, probability: options.lossProbability, unit }
    : { kind, goodToBad, badToGood, lossGood, lossBad, unit, stepSymbols };
}

function multipathOf({ timeDomain, subcarriers }: ChannelOptions): MultipathSettings {
  return timeDomain ? { timeDomain } : { timeDomain, subcarriers };
}

/** @throws SemlinkError INVALID_ARGUMENT when the text is not two or three numbers between colons */
function tapFrom(text: string): StaticTap {
  const parts = text.split(':');
  const [delaySeconds, powerDb, phaseDegrees = 0] = parts.map((part) =>
    part.trim() === '' ? Number.NaN : Number(part),
  );
  if (parts.length < 2 || parts.length > 3 || ![delaySeconds, powerDb, phaseDegrees].every(Number.isFinite)) {
    throw invalidArgument('tap', text, 'write DELAY:POWER or DELAY:POWER:PHASE in seconds, dB and degrees');
  }
  return { delaySeconds: delaySeconds!, powerDb: powerDb!, phaseDegrees };
}
