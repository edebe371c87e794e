import type { ExternalSettings } from './external.js';
import type { ReplaySettings } from './replay.js';
import type { Trace } from './trace.js';

/** Symbols a second of a link that says nothing else: 1 MBd. */
export const defaultSymbolRateHz = 1e6;
/** Subcarriers of a multipath channel that says nothing else. */
export const defaultSubcarriers = 64;
/** Doppler shift of a line of sight over the maximum Doppler shift, as 3GPP TR 38.901, 7.7.2 has it for TDL-D and -E. */
export const lineOfSightDoppler = 0.7;

export const tdlModelNames = ['tdl-a', 'tdl-b', 'tdl-c', 'tdl-d', 'tdl-e'] as const;
export type TdlModelName = (typeof tdlModelNames)[number];

/** The channel models of complex symbols that are computed here, by the names used in `ChannelState.model`. */
export const simulatedModelNames = [
  'awgn',
  'rayleigh-block',
  'rayleigh-fast',
  'rician-block',
  'jakes',
  ...tdlModelNames,
  'taps',
  'trace',
  'erasure',
  'gilbert-elliott',
] as const;

/**
 * All channel models, by the names used in `ChannelState.model`, files and flags; `replay` needs a recording, `external` a
 * channel-emulator.
 */
export const channelModelNames = [...simulatedModelNames, 'replay', 'external'] as const;

/** How multipath meets the symbols; see `multipath.ts`. */
export interface MultipathSettings {
  /**
   * False: OFDM, symbol i rides a subcarrier and sees one complex gain, no interference between symbols.
   * True: symbols follow each other at the symbol rate and are convolved with the channel, frame by frame.
   */
  timeDomain: boolean;
  /** OFDM only: subcarriers N of one OFDM symbol, 1 to 4096. Default 64. */
  subcarriers?: number;
}

/** One path of a static channel. */
export interface StaticTap {
  /** 0 to 1 ms. */
  delaySeconds: number;
  /** Power in dB, -100 to 100, before all taps together are scaled to power 1. */
  powerDb: number;
  /** Default 0. */
  phaseDegrees?: number;
}

/** Independent loss with one probability. */
export interface ErasureSettings {
  /** 0 to 1. */
  probability: number;
  /** What is lost at once. A lost frame does not arrive; a lost symbol arrives as 0 with gain 0. */
  unit: LossUnit;
}
export type LossUnit = 'frame' | 'symbol';

/** Loss that comes in bursts: a Markov chain of a good and a bad state. */
export interface GilbertElliottSettings {
  /** P(good -> bad) at one step, over 0; with `badToGood` at least 1e-5 and at most 1. */
  goodToBad: number;
  /** P(bad -> good) at one step, over 0. 1/badToGood is the mean length of a bad period in steps. */
  badToGood: number;
  /** Probability of loss in the good state. Default 0. */
  lossGood?: number;
  /** Probability of loss in the bad state. Default 1. */
  lossBad?: number;
  unit: LossUnit;
  /**
   * Symbols of the link between two steps of the chain. Default 1. For frame loss the state at the frame's first symbol
   * counts: with frames of k symbols, k here makes one step a frame.
   */
  stepSymbols?: number;
}

export type LossSettings =
  | ({ kind: 'erasure' } & ErasureSettings)
  | ({ kind: 'gilbert-elliott' } & GilbertElliottSettings);

/**
 * What else a link suffers, in the order in which it is applied: carrier frequency offset and phase noise (transmitter's
 * and receiver's oscillators taken together) before the model's fading, shadowing after it, then noise, then loss.
 */
export interface ImpairmentSettings {
  /** Rotation by 2 pi f t. -symbol rate/2 to +symbol rate/2, default 0. */
  carrierFrequencyOffsetHz?: number;
  /** Two-sided 3 dB linewidth of a free-running oscillator: a Wiener phase. 0 to the symbol rate, default 0: none. */
  phaseNoiseLinewidthHz?: number;
  /** Standard deviation of log-normal shadowing, 0 to 20 dB, default 0: none. Mean *power* stays 1. */
  shadowingSigmaDb?: number;
  /** Time over which shadowing's correlation falls to 1/e; 0 (default): one value a link for all time. */
  shadowingDecorrelationSeconds?: number;
  loss?: LossSettings;
}

/** The fading of a channel as a person configures it. */
export type FadingSettings =
  | { model: 'awgn' }
  | {
      model: 'rayleigh-block';
      /** Symbols that share one gain; 0: one gain per frame. */
      coherenceSymbols: number;
    }
  | { model: 'rayleigh-fast' }
  | {
      model: 'rician-block';
      /** Symbols that share one gain; 0: one gain per frame. */
      coherenceSymbols: number;
      /** Power of the line of sight over the power of the rest, -40 to 60 dB. */
      kFactorDb: number;
    }
  | {
      model: 'jakes';
      /** Maximum Doppler shift, 0 to half the symbol rate. */
      dopplerHz: number;
      /** Adds a line of sight with this K factor, -40 to 60 dB; absent: none, Rayleigh. */
      kFactorDb?: number;
    }
  | ({
      model: TdlModelName;
      /** Desired RMS delay spread, 0 to 10 us. */
      delaySpreadSeconds: number;
      /** Maximum Doppler shift, 0 to half the symbol rate. */
      dopplerHz: number;
    } & MultipathSettings)
  | ({ model: 'taps'; taps: readonly StaticTap[] } & MultipathSettings)
  | {
      model: 'trace';
      trace: Trace;
      /** Between two points; default linear. */
      interpolation?: TraceInterpolation;
      /** True (default): starts over at the end. False: the last value stays. */
      loop?: boolean;
    }
  /** Noise alone, with a loss of its own. */
  | ({ model: 'erasure' } & ErasureSettings)
  | ({ model: 'gilbert-elliott' } & GilbertElliottSettings)
  /** A recording is the whole channel; `snrDb` counts for one that says nothing of its noise. */
  | { model: 'replay'; replay: ReplaySettings }
  /** An outside process is the whole channel; `snrDb` is what it is declared to have. */
  | { model: 'external'; external: ExternalSettings };

export type TraceInterpolation = 'linear' | 'previous';

/** A channel as a person configures it. */
export type ChannelSettings = {
  /** Average Es/N0 in dB, -40 to 60. A trace of SNR brings its own and does not use it. */
  snrDb: number;
  /** Symbols a second, 1 to 1e12, which makes a position a time: t = position / symbolRateHz. Default 1e6. */
  symbolRateHz?: number;
  impairments?: ImpairmentSettings;
} & FadingSettings;

export type ChannelModelName = ChannelSettings['model'];
