import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChannelSettings, createChannelModel } from './channel-config.js';
import { LinkRandom, Purpose } from './link-random.js';
import type { ChannelModel } from './model.js';

const link = (id = 'link', seed = 7n) => new LinkRandom(seed, id);

/** Sends k symbols 1 + 0j at a time over the model; returns received symbols and the gain of each. */
function sendOnes(model: ChannelModel, symbols: number, frame: number, random = link()) {
  const received = new Float32Array(2 * symbols);
  const gains = new Float32Array(2 * symbols);
  for (let position = 0; position < symbols; position += frame) {
    const k = Math.min(frame, symbols - position);
    const ones = new Float32Array(2 * k);
    for (let i = 0; i < k; i++) ones[2 * i] = 1;
    const effect = model.apply(ones, { random, position }, received.subarray(2 * position, 2 * (position + k)));
    expect(effect.gains.length).toBe(2 * Math.ceil(k / effect.blockSymbols));
    for (let i = 0; i < k; i++) {
      const block = Math.floor(i / effect.blockSymbols);
      gains.set(effect.gains.slice(2 * block, 2 * block + 2), 2 * (position + i));
    }
  }
  return { received, gains };
}

const power = (numbers: Float32Array) => numbers.reduce((sum, x) => sum + x * x, 0) / (numbers.length / 2);

describe('awgn', () => {
  it.each([-10, 0, 10, 25])('adds noise of N0 = 10^(-SNR/10), half of it in each part, at %i dB', (snrDb) => {
    const count = 100_000;
    const model = createChannelModel({ model: 'awgn', snrDb });
    const { received } = sendOnes(model, count, 32);
    const n0 = 10 ** (-snrDb / 10);
    let re = 0;
    let im = 0;
    let both = 0;
    let mean = 0;
    for (let i = 0; i < count; i++) {
      const nRe = received[2 * i]! - 1;
      const nIm = received[2 * i + 1]!;
      re += nRe * nRe;
      im += nIm * nIm;
      both += nRe * nIm;
      mean += nRe + nIm;
    }
    // A mean of n squares of normals has relative standard deviation sqrt(2/n) = 0.45 %; five of them are allowed.
    const tolerance = 5 * Math.sqrt(2 / count);
    expect(Math.abs(re / count / (n0 / 2) - 1)).toBeLessThan(tolerance);
    expect(Math.abs(im / count / (n0 / 2) - 1)).toBeLessThan(tolerance);
    expect(Math.abs(both / count / (n0 / 2))).toBeLessThan(tolerance);
    expect(Math.abs(mean / count)).toBeLessThan(5 * Math.sqrt(n0 / count));
  });

  it('says what it did', () => {
    const symbols = Float32Array.of(1, 0, 0, 1);
    const effect = createChannelModel({ model: 'awgn', snrDb: 3 }).apply(
      symbols,
      { random: link(), position: 0 },
      symbols,
    );
    expect(effect).toEqual({ gains: [1, 0], blockSymbols: 2, noisePower: Math.fround(10 ** -0.3) });
  });

  it.each([0, 4, 7])('has the bit error rate Q(sqrt(2 SNR)) of BPSK at %i dB', (snrDb) => {
    const count = 200_000;
    const { received } = sendOnes(createChannelModel({ model: 'awgn', snrDb }), count, 64);
    let errors = 0;
    for (let i = 0; i < count; i++) if (received[2 * i]! < 0) errors++;
    expectRate(errors, count, tail(Math.sqrt(2 * 10 ** (snrDb / 10))));
  });
});

describe('rayleigh-block', () => {
  it('has gains of unit mean power whose magnitude is Rayleigh and whose phase is even', () => {
    const count = 100_000;
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 60, coherenceSymbols: 1 });
    const { gains } = sendOnes(model, count, 50);
    // |h|^2 is exponential: its mean over n has standard deviation 1/sqrt(n).
    expect(Math.abs(power(gains) - 1)).toBeLessThan(5 / Math.sqrt(count));
    const magnitudes = Float64Array.from({ length: count }, (_, i) => Math.hypot(gains[2 * i]!, gains[2 * i + 1]!));
    expect(kolmogorovSmirnov(magnitudes, (r) => 1 - Math.exp(-r * r))).toBeLessThan(0.01);
    const phases = Float64Array.from({ length: count }, (_, i) => Math.atan2(gains[2 * i + 1]!, gains[2 * i]!));
    expect(kolmogorovSmirnov(phases, (phase) => (phase + Math.PI) / (2 * Math.PI))).toBeLessThan(0.01);
  });

  it('gives exactly the gains it applied', () => {
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 60, coherenceSymbols: 3 });
    const { received, gains } = sendOnes(model, 3_000, 7);
    let worst = 0;
    for (let i = 0; i < received.length; i++) worst = Math.max(worst, Math.abs(received[i]! - gains[i]!));
    // What is left is noise of sigma 0.0007.
    expect(worst).toBeLessThan(0.0007 * 6.3);
    expect(worst).toBeGreaterThan(0);
  });

  it.each([
    [0, 32],
    [10, 32],
    [10, 1],
    [15, 5],
  ])(
    'has the bit error rate (1 - sqrt(g/(1+g)))/2 of BPSK at %i dB with known gains, %i symbols a frame',
    (snrDb, frame) => {
      const frames = 30_000;
      const model = createChannelModel({ model: 'rayleigh-block', snrDb, coherenceSymbols: 0 });
      const count = frames * frame;
      const { received, gains } = sendOnes(model, count, frame);
      // One symbol a frame, so that trials are independent: errors within a block come together.
      let errors = 0;
      for (let i = 0; i < count; i += frame) {
        if (gains[2 * i]! * received[2 * i]! + gains[2 * i + 1]! * received[2 * i + 1]! < 0) errors++;
      }
      const g = 10 ** (snrDb / 10);
      expectRate(errors, frames, (1 - Math.sqrt(g / (1 + g))) / 2);
    },
  );

  it('keeps one gain for a whole coherence block of the link, whatever the frames', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70 }), (coherenceSymbols, frame) => {
        const model = createChannelModel({ model: 'rayleigh-block', snrDb: 10, coherenceSymbols });
        const { gains } = sendOnes(model, 200, frame);
        for (let i = 1; i < 200; i++) {
          const same = gains[2 * i] === gains[2 * i - 2] && gains[2 * i + 1] === gains[2 * i - 1];
          expect(same).toBe(i % coherenceSymbols !== 0);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('draws one gain per frame when the coherence is 0', () => {
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 });
    const { gains } = sendOnes(model, 40, 8);
    expect(new Set(gains).size).toBe(10);
  });
});

const settings = fc.oneof(
  fc.record({ model: fc.constant('awgn' as const), snrDb: fc.integer({ min: -40, max: 60 }) }),
  fc.record({
    model: fc.constant('rayleigh-block' as const),
    snrDb: fc.integer({ min: -40, max: 60 }),
    coherenceSymbols: fc.integer({ min: 1, max: 50 }),
  }),
);

describe('every channel', () => {
  it('does the same to a symbol however symbols are cut into frames, and from whatever position one starts', () => {
    fc.assert(
      fc.property(settings, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), (config, one, other) => {
        const model = createChannelModel(config);
        const all = sendOnes(model, 120, one).received;
        expect(sendOnes(model, 120, other).received).toEqual(all);
        const late = Float32Array.of(1, 0);
        model.apply(late, { random: link(), position: 100 }, late);
        expect(late).toEqual(all.slice(200, 202));
      }),
      { numRuns: 60 },
    );
  });

  it('scales to far positions', () => {
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 5 });
    const far = 2 ** 52 + 1;
    const symbols = Float32Array.of(1, 0, 1, 0);
    const out = new Float32Array(4);
    model.apply(symbols, { random: link(), position: far }, out);
    const again = new Float32Array(2);
    model.apply(symbols.slice(2), { random: link(), position: far + 1 }, again);
    expect(again).toEqual(out.slice(2));
    expect(out.every(Number.isFinite)).toBe(true);
  });

  it('gives different links, seeds and purposes independent numbers', () => {
    const numbers = (random: LinkRandom, purpose: Purpose = Purpose.noise) => {
      const out = new Float64Array(20_000);
      random.complexNormals(purpose, 0, 10_000, out);
      return out;
    };
    const base = numbers(link('a', 1n));
    for (const other of [numbers(link('b', 1n)), numbers(link('a', 2n)), numbers(link('a', 1n), Purpose.blockFading)]) {
      const correlation = base.reduce((sum, x, i) => sum + x * other[i]!, 0) / base.length;
      expect(Math.abs(correlation)).toBeLessThan(5 / Math.sqrt(base.length));
    }
    expect(numbers(link('a', 1n))).toEqual(base);
  });

  it('gives these very numbers on every machine', () => {
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 5, coherenceSymbols: 2 });
    const symbols = Float32Array.of(1, 0, 0, 1, -1, 0);
    const out = new Float32Array(6);
    const { gains, blockSymbols } = model.apply(symbols, { random: link('golden', 2025n), position: 11 }, out);
    expect({ blockSymbols, gains, out: [...out] }).toMatchInlineSnapshot(`
      {
        "blockSymbols": 1,
        "gains": [
          -0.12889058887958527,
          0.8870962262153625,
          0.28809860348701477,
          -0.25597909092903137,
          0.28809860348701477,
          -0.25597909092903137,
        ],
        "out": [
          0.39393144845962524,
          1.9879202842712402,
          -0.11686182022094727,
          -0.041676491498947144,
          0.25383397936820984,
          0.6425498723983765,
        ],
      }
    `);
  });

  it('refuses settings out of range by name', () => {
    const create = (change: Partial<{ snrDb: number; coherenceSymbols: number }>) => () =>
      createChannelModel({ model: 'rayleigh-block', snrDb: 1, coherenceSymbols: 1, ...change } as ChannelSettings);
    expect(create({ snrDb: Number.NaN })).toThrow('snr_db is NaN; use an average Es/N0 of -40 to 60 dB');
    expect(create({ snrDb: 1e9 })).toThrow('snr_db is 1000000000;');
    expect(create({ coherenceSymbols: -1 })).toThrow('coherence_symbols is -1; use 0');
    expect(create({ coherenceSymbols: 1.5 })).toThrow('coherence_symbols is 1.5; use 0');
  });
});

/** Errors of `trials` independent trials against a closed form: within 4.5 standard deviations (1 in 150,000 fails). */
function expectRate(errors: number, trials: number, rate: number): void {
  const deviation = Math.sqrt(trials * rate * (1 - rate));
  expect(Math.abs(errors - trials * rate)).toBeLessThan(4.5 * deviation);
}

/** Q(x) = P(N(0, 1) > x), by Craig's integral (MILCOM 1991), midpoint rule. */
function tail(x: number): number {
  const steps = 2000;
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += Math.exp((-x * x) / (2 * Math.sin(((i + 0.5) * Math.PI) / (2 * steps)) ** 2));
  return sum / (2 * steps);
}

function kolmogorovSmirnov(sample: Float64Array, probability: (x: number) => number): number {
  const sorted = sample.slice().sort();
  let distance = 0;
  for (const [i, x] of sorted.entries()) {
    const expected = probability(x);
    distance = Math.max(distance, Math.abs(expected - i / sorted.length), Math.abs((i + 1) / sorted.length - expected));
  }
  return distance;
}
