import type { ChannelSettings } from '../../../shared/channel/channel-config.js';

/** The kind of each value of a JSON object. */
export interface Fields {
  readonly [key: string]: 'number' | 'boolean' | 'string' | 'list' | 'any' | Fields;
}

const multipath = { timeDomain: 'boolean', subcarriers: 'number' } as const;
const erasure = { probability: 'number', unit: 'string' } as const;
const gilbertElliott = {
  goodToBad: 'number',
  badToGood: 'number',
  lossGood: 'number',
  lossBad: 'number',
  unit: 'string',
  stepSymbols: 'number',
} as const;
const tdl = { delaySpreadSeconds: 'number', dopplerHz: 'number', ...multipath } as const;

const models: Record<string, Fields> = {
  awgn: {},
  'rayleigh-block': { coherenceSymbols: 'number' },
  'rayleigh-fast': {},
  'rician-block': { coherenceSymbols: 'number', kFactorDb: 'number' },
  jakes: { dopplerHz: 'number', kFactorDb: 'number' },
  'tdl-a': tdl,
  'tdl-b': tdl,
  'tdl-c': tdl,
  'tdl-d': tdl,
  'tdl-e': tdl,
  taps: { taps: 'list', ...multipath },
  trace: { trace: 'any', interpolation: 'string', loop: 'boolean' },
  erasure,
  'gilbert-elliott': gilbertElliott,
  replay: { replay: { file: 'string', mode: 'string', loop: 'boolean', start: 'number' } },
  external: {
    external: {
      form: 'string',
      send: 'string',
      receive: 'string',
      timeoutMs: 'number',
      delaySymbols: 'number',
      multipleSymbols: 'number',
      pilotSymbols: 'number',
    },
  },
};

const everyModel = {
  model: 'string',
  snrDb: 'number',
  impairments: {
    carrierFrequencyOffsetHz: 'number',
    phaseNoiseLinewidthHz: 'number',
    shadowingSigmaDb: 'number',
    shadowingDecorrelationSeconds: 'number',
    loss: { kind: 'string', ...erasure, ...gilbertElliott },
  },
} as const;

/** The keys that settings have as JSON, with the kinds of their values. */
export const settingsFields = {
  /** Of all models together. */
  all: {
    channel: Object.assign({}, everyModel, ...Object.values(models)) as Fields,
    budget: { transmitPowerDbm: 'number', pathLossDb: 'number', noiseFloorDbm: 'number' },
    air: {
      symbolRateHz: 'number',
      realTime: 'boolean',
      propagationDelayMs: 'number',
      processingDelayMs: 'number',
      jitterMs: 'number',
      reorder: 'boolean',
      maxWaitMs: 'number',
    },
    feedback: {
      pilots: { count: 'number', powerDb: 'number', equalise: 'boolean' },
      bits: 'number',
      leastSnrDb: 'number',
      greatestSnrDb: 'number',
      delayMs: 'number',
      lossProbability: 'number',
    },
  } satisfies Fields,
  /** Of `channel` with one model. */
  channelOf: (model: ChannelSettings['model']): Fields => ({ ...everyModel, ...models[model] }),
} as const;
