import { describe, expect, it } from 'vitest';
import { createChannelModel } from './channel-config.js';
import type { ImpairmentSettings } from './channel-settings.js';
import { PhaseNoise } from './phase-noise.js';
import { Shadowing } from './shadowing.js';
import { correlation, expectMean, kolmogorovSmirnov, link, ones, send } from './statistics.fixture.js';

const awgn = (impairments: ImpairmentSettings, symbolRateHz = 1e6) =>
  createChannelModel({ model: 'awgn', snrDb: 60, symbolRateHz, impairments });

describe('carrier frequency offset', () => {
  it.each([1234.5, -400_000])('turns symbol i by 2 pi f i / rate: %f Hz', (carrierFrequencyOffsetHz) => {
    const { received } = send(awgn({ carrierFrequencyOffsetHz }), ones(5_000), 64);
    for (let i = 0; i < 5_000; i++) {
      const angle = (2 * Math.PI * carrierFrequencyOffsetHz * i) / 1e6;
      expect(Math.hypot(received[2 * i]! - Math.cos(angle), received[2 * i + 1]! - Math.sin(angle))).toBeLessThan(
        0.006,
      );
    }
  });

  it('tells the phase at the first symbol of a frame, as a preamble would', () => {
    const carrierFrequencyOffsetHz = 1_000;
    const { gains } = send(awgn({ carrierFrequencyOffsetHz }), ones(300), 100);
    for (let i = 0; i < 300; i++) {
      const angle = (2 * Math.PI * carrierFrequencyOffsetHz * 100 * Math.floor(i / 100)) / 1e6;
      expect(gains[2 * i]).toBeCloseTo(Math.cos(angle), 6);
      expect(gains[2 * i + 1]).toBeCloseTo(Math.sin(angle), 6);
    }
  });

  it('is exact at far positions', () => {
    const model = awgn({ carrierFrequencyOffsetHz: 250_000 });
    // A quarter turn a symbol: 2^52 + 3 symbols are three quarters.
    const { gains } = model.apply(ones(1), { random: link(), position: 2 ** 52 + 3 }, new Float32Array(2));
    expect(gains[0]).toBeCloseTo(0, 6);
    expect(gains[1]).toBeCloseTo(-1, 6);
  });
});

describe('phase noise', () => {
  const linewidthHz = 20;
  const symbolRateHz = 1e6;
  /** Phase in radians. */
  const phases = (id: string, positions: number[]) => {
    const noise = new PhaseNoise(linewidthHz, symbolRateHz);
    const random = link(id);
    return positions.map((position) => 2 * Math.PI * noise.at({ random, position }, position));
  };

  // Across the borders of pieces of every level, and within.
  it.each([
    [0, 1],
    [255, 256],
    [65_535, 65_536],
    [65_000, 66_000],
    [3, 250],
    [100, 20_000],
    [256 ** 3 - 10, 256 ** 3 + 10],
    [2 ** 47 - 1, 2 ** 47 + 4],
  ])('grows as a Wiener process from %i to %i: mean 0, variance 2 pi B tau, normal', (from, to) => {
    const count = 2_000;
    const deviation = Math.sqrt((2 * Math.PI * linewidthHz * (to - from)) / symbolRateHz);
    const steps = Array.from({ length: count }, (_, i) => {
      const [a, b] = phases(`noise-${i}`, [from, to]);
      return (b! - a!) / deviation;
    });
    expectMean(steps, 0);
    expectMean(
      steps.map((x) => x * x),
      1,
    );
    expectMean(
      steps.map((x) => x ** 4),
      3,
    );
  });

  it('has increments that are independent of each other', () => {
    const products: number[] = [];
    for (let i = 0; i < 1_500; i++) {
      const at = phases(`pair-${i}`, [0, 100, 256, 300, 512, 70_000]);
      for (let j = 2; j < at.length; j++) products.push((at[j]! - at[j - 1]!) * (at[j - 1]! - at[j - 2]!));
    }
    expectMean(products, 0);
  });

  it('makes exp(j phi) lose its correlation as exp(-pi B tau)', () => {
    const links = 60;
    const lags = [10, 1_000, 4_000];
    const sums = lags.map(() => 0);
    const model = awgn({ phaseNoiseLinewidthHz: 100 });
    for (let l = 0; l < links; l++) {
      const { received } = send(model, ones(30_000), 500, link(`line-${l}`));
      for (const [i, lag] of lags.entries()) sums[i]! += correlation(received, lag).re / links;
    }
    for (const [i, lag] of lags.entries()) {
      expect(Math.abs(sums[i]! - Math.exp((-Math.PI * 100 * lag) / 1e6))).toBeLessThan(0.05);
    }
  });
});

describe('log-normal shadowing', () => {
  it.each([2, 4, 8])('is normal in dB with deviation %i dB, and has mean power 1', (sigmaDb) => {
    const shadowing = new Shadowing(sigmaDb, 0, 1e6);
    const amplitude = new Float32Array(1);
    const decibels = Float64Array.from({ length: 20_000 }, (_, i) => {
      shadowing.amplitudes({ random: link(`shadow-${i}`), position: 17 * i }, 1, amplitude);
      return 20 * Math.log10(amplitude[0]!);
    });
    // Mean power 1 puts the median at -sigma^2 ln(10) / 20 dB.
    const median = (-(sigmaDb ** 2) * Math.LN10) / 20;
    expectMean(decibels, median);
    expectMean(
      decibels.map((x) => (x - median) ** 2),
      sigmaDb ** 2,
    );
    const normal = (x: number) => {
      const z = (x - median) / sigmaDb;
      let sum = z;
      let term = z;
      for (let n = 3; n < 120; n += 2) {
        term *= (z * z) / n;
        sum += term;
      }
      return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
    };
    expect(kolmogorovSmirnov(decibels, normal)).toBeLessThan(0.015);
    if (sigmaDb > 4) return;
    expectMean(
      decibels.map((x) => 10 ** (x / 10)),
      1,
    );
  });

  it('decorrelates as exp(-tau / T), with the same spread at and between grid points', () => {
    const decorrelation = 1_000;
    const shadowing = new Shadowing(6, decorrelation / 1e6, 1e6);
    const lags = [0, 30, 60, 125, 500, 1_000, 2_000];
    const products = lags.map((): number[] => []);
    const amplitude = new Float32Array(1);
    const at = (random: ReturnType<typeof link>, position: number) => {
      shadowing.amplitudes({ random, position }, 1, amplitude);
      return (20 * Math.log10(amplitude[0]!) + (36 * Math.LN10) / 20) / 6;
    };
    for (let i = 0; i < 3_000; i++) {
      const random = link(`walk-${i}`);
      const from = at(random, 1_003 + i);
      for (const [j, lag] of lags.entries()) products[j]!.push(from * at(random, 1_003 + i + lag));
    }
    for (const [j, lag] of lags.entries()) {
      const mean = products[j]!.reduce((sum, x) => sum + x, 0) / products[j]!.length;
      // Standard error of a product of correlated normals: below sqrt(2 / n), of which 3; and 0.03 for the grid.
      expect(Math.abs(mean - Math.exp(-lag / decorrelation))).toBeLessThan(3 * Math.sqrt(2 / 3_000) + 0.03);
    }
  });

  it('is part of the gains told', () => {
    const { received, gains } = send(
      awgn({ shadowingSigmaDb: 8, shadowingDecorrelationSeconds: 1e-4 }),
      ones(2_000),
      64,
    );
    for (let i = 0; i < 2_000; i++) expect(Math.abs(received[2 * i]! - gains[2 * i]!)).toBeLessThan(0.005);
    expect(new Set(gains).size).toBeGreaterThan(50);
  });
});

describe('impairments together', () => {
  it('act in the stated order: oscillator, fading, shadowing, noise, loss', () => {
    const oscillator = { carrierFrequencyOffsetHz: 50_000 };
    const shadow = { shadowingSigmaDb: 5, shadowingDecorrelationSeconds: 1e-3 };
    const loss = { loss: { kind: 'erasure', probability: 0.3, unit: 'symbol' } } as const;
    const taps = [
      { delaySeconds: 0, powerDb: 0 },
      { delaySeconds: 1e-6, powerDb: -3 },
    ];
    const base = { model: 'taps', taps, timeDomain: true, snrDb: 20 } as const;
    const k = 48;
    const sent = Float32Array.from({ length: 2 * k }, (_, i) => Math.sin(3 * i * i));
    const apply = (model: ReturnType<typeof createChannelModel>, symbols: Float32Array) => {
      const out = new Float32Array(symbols.length);
      model.apply(symbols, { random: link(), position: 480 }, out);
      return out;
    };
    const turned = sent.slice();
    for (let i = 0; i < k; i++) {
      const angle = 2 * Math.PI * 0.05 * (480 + i);
      turned[2 * i] = Math.cos(angle) * sent[2 * i]! - Math.sin(angle) * sent[2 * i + 1]!;
      turned[2 * i + 1] = Math.sin(angle) * sent[2 * i]! + Math.cos(angle) * sent[2 * i + 1]!;
    }
    const noise = apply(createChannelModel({ model: 'awgn', snrDb: 20 }), new Float32Array(2 * k));
    const faded = apply(createChannelModel(base), turned).map((y, i) => y - noise[i]!);
    const amplitudes = new Float32Array(k);
    new Shadowing(5, 1e-3, 1e6).amplitudes({ random: link(), position: 480 }, k, amplitudes);
    const all = apply(createChannelModel({ ...base, impairments: { ...oscillator, ...shadow, ...loss } }), sent);
    let lost = 0;
    for (let i = 0; i < k; i++) {
      if (all[2 * i] === 0 && all[2 * i + 1] === 0) lost++;
      else expect(Math.abs(all[2 * i]! - (amplitudes[i]! * faded[2 * i]! + noise[2 * i]!))).toBeLessThan(1e-5);
    }
    expect(lost).toBeGreaterThan(5);
    expect(lost).toBeLessThan(30);
  });

  it('leave rayleigh-block its own gains', () => {
    const plain = { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 7 } as const;
    const impairments = { loss: { kind: 'erasure', probability: 0, unit: 'frame' } } as const;
    const one = send(createChannelModel(plain), ones(300), 32);
    const other = send(createChannelModel({ ...plain, impairments }), ones(300), 32);
    expect(other.gains).toEqual(one.gains);
    for (const [i, y] of other.received.entries()) expect(Math.abs(y - one.received[i]!)).toBeLessThan(1e-6);
  });
});
