import { describe, expect, it } from 'vitest';
import { type ChannelSettings, createChannelModel, simulatedModelNames, typicalSettings } from './channel-config.js';
import type { LinkRandom } from './link-random.js';
import {
  expectMean,
  gainsOf,
  kolmogorovSmirnov,
  link,
  magnitudes,
  meanPower,
  ones,
  rayleighProbability,
  riceProbability,
  send,
} from './statistics.fixture.js';
import { tdlProfiles } from './tdl-profiles.js';

const draws = 100_000;
const linear = (db: number) => 10 ** (db / 10);

/** Line of sight over everything else of a profile: the K factor of one subcarrier. */
function wholeK(model: 'tdl-d' | 'tdl-e'): number {
  const { taps, lineOfSightDb } = tdlProfiles[model];
  return linear(lineOfSightDb!) / taps.reduce((sum, { powerDb }) => sum + linear(powerDb), 0);
}

interface Envelope {
  settings: ChannelSettings;
  links: number;
  /** Symbols from one draw to the next. */
  spacing: number;
  /** K, linear; 0: Rayleigh. */
  k: number;
}

const snrDb = 60;
/** So much Doppler that the next symbol is nearly independent: J0(2 pi 0.4) = -0.05. */
const multipath = { snrDb, delaySpreadSeconds: 1e-6, dopplerHz: 4e5, timeDomain: false, subcarriers: 1 } as const;
const envelopes: Envelope[] = [
  { settings: { model: 'rayleigh-block', snrDb, coherenceSymbols: 1 }, links: 10, spacing: 1, k: 0 },
  { settings: { model: 'rayleigh-block', snrDb, coherenceSymbols: 0 }, links: 10, spacing: 7, k: 0 },
  { settings: { model: 'rayleigh-fast', snrDb }, links: 10, spacing: 1, k: 0 },
  ...[-10, 0, 3, 10].map((kFactorDb): Envelope => {
    const settings = { model: 'rician-block', snrDb, coherenceSymbols: 1, kFactorDb } as const;
    return { settings, links: 10, spacing: 1, k: linear(kFactorDb) };
  }),
  { settings: { model: 'jakes', snrDb, dopplerHz: 4e5 }, links: 500, spacing: 1, k: 0 },
  { settings: { model: 'jakes', snrDb, dopplerHz: 0 }, links: draws / 10, spacing: 1, k: 0 },
  { settings: { model: 'jakes', snrDb, dopplerHz: 4e5, kFactorDb: 6 }, links: 500, spacing: 1, k: linear(6) },
  ...(['tdl-a', 'tdl-b', 'tdl-c'] as const).map((model): Envelope => {
    return { settings: { model, ...multipath }, links: 100, spacing: 1, k: 0 };
  }),
  ...(['tdl-d', 'tdl-e'] as const).map((model): Envelope => {
    return { settings: { model, ...multipath }, links: 100, spacing: 1, k: wholeK(model) };
  }),
];

describe('envelopes', () => {
  it.each(envelopes)('are Rayleigh or Rice to a KS distance of 0.02: $settings', ({ settings, links, spacing, k }) => {
    const times = settings.model === 'jakes' && settings.dopplerHz === 0 ? 1 : draws / links;
    const gains = gainsOf(settings, links, times, spacing);
    const probability = k === 0 ? rayleighProbability : riceProbability(k);
    expect(kolmogorovSmirnov(magnitudes(gains), probability)).toBeLessThan(0.02);
    // Powers within a link are not independent: twice that of 5 standard errors of independent ones.
    expect(Math.abs(meanPower(gains) - 1)).toBeLessThan(10 / Math.sqrt(links * times));
  });

  it('have even phases, also with a line of sight over links', () => {
    const rician = { model: 'rician-block', snrDb, coherenceSymbols: 1, kFactorDb: 20 } as const;
    for (const gains of [gainsOf({ model: 'rayleigh-fast', snrDb }, 1, 20_000, 1), gainsOf(rician, 20_000, 1, 1)]) {
      const phases = Float64Array.from({ length: 20_000 }, (_, i) => Math.atan2(gains[2 * i + 1]!, gains[2 * i]!));
      expect(kolmogorovSmirnov(phases, (phase) => (phase + Math.PI) / (2 * Math.PI))).toBeLessThan(0.02);
    }
  });
});

describe('mean power', () => {
  // Ones sent at 60 dB: received power is |h|^2 + 1e-6.
  const lossless = simulatedModelNames.filter((name) => name !== 'erasure' && name !== 'gilbert-elliott');
  const settings: ChannelSettings[] = [
    ...lossless.map((name) => typicalSettings(name, 60)),
    ...(['tdl-a', 'tdl-d'] as const).map((model) => ({ ...multipath, model, dopplerHz: 1e3, timeDomain: true })),
    { model: 'rician-block', snrDb, coherenceSymbols: 10, kFactorDb: 3 },
    {
      model: 'taps',
      snrDb,
      timeDomain: false,
      taps: [
        { delaySeconds: 0, powerDb: 3 },
        { delaySeconds: 3e-6, powerDb: -1, phaseDegrees: 77 },
      ],
    },
    { model: 'awgn', snrDb, impairments: { shadowingSigmaDb: 3 } },
    {
      model: 'jakes',
      snrDb,
      dopplerHz: 100,
      impairments: { carrierFrequencyOffsetHz: 1e3, phaseNoiseLinewidthHz: 99 },
    },
  ];
  it.each(settings)('is 1: %o', (one) => {
    const model = createChannelModel(one);
    const links = 400;
    const times = 8;
    const k = 64;
    const frames = new Float64Array(links);
    for (let l = 0; l < links; l++) {
      const random = link(`power-${l}`);
      let power = 0;
      for (let t = 0; t < times; t++) {
        const { received } = send(model, white(k, l * times + t), k, random, t * 40_000);
        // In the time domain a frame rings in and out.
        const edge = 'timeDomain' in one && one.timeDomain ? 16 : 0;
        power += meanPower(received.subarray(2 * edge, 2 * (k - edge))) / times;
      }
      frames[l] = power;
    }
    const mean = frames.reduce((sum, x) => sum + x, 0) / links;
    const deviation = Math.sqrt(frames.reduce((sum, x) => sum + (x - mean) ** 2, 0) / links);
    expect(Math.abs(mean - 1)).toBeLessThan(4.5 * (deviation / Math.sqrt(links)) + 0.003);
  });
});

describe('links', () => {
  const still = ['awgn', 'taps', 'trace', 'erasure', 'gilbert-elliott'];
  const fading = simulatedModelNames.filter((name) => !still.includes(name));
  it.each(fading)('are independent of each other, and of other seeds: %s', (name) => {
    const model = createChannelModel(typicalSettings(name, 60));
    const gainAt = (random: LinkRandom, position: number) => {
      const { gains } = model.apply(new Float32Array(2), { random, position }, new Float32Array(2));
      return [gains[0]!, gains[1]!] as const;
    };
    const products: number[] = [];
    for (let i = 0; i < 1500; i++) {
      const [re, im] = gainAt(link(`a-${i}`, 1n), 64 * i);
      for (const other of [link(`b-${i}`, 1n), link(`a-${i}`, 2n)]) {
        const [otherRe, otherIm] = gainAt(other, 64 * i);
        products.push(re * otherRe + im * otherIm, im * otherRe - re * otherIm);
      }
    }
    expectMean(products, 0);
  });
});

/** k symbols +1 or -1 without pattern (murmur3's final mix). */
function white(k: number, seed: number): Float32Array {
  const symbols = ones(k);
  for (let i = 0; i < k; i++) {
    let x = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(i + 1, 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    if (((x ^ (x >>> 16)) & 1) === 1) symbols[2 * i] = -1;
  }
  return symbols;
}
