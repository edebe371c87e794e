import { describe, expect, it } from 'vitest';
import { createChannelModel } from './channel-config.js';
import { type TdlModelName, tdlModelNames } from './channel-settings.js';
import { link, ones, send } from './statistics.fixture.js';
import { tdlProfiles } from './tdl-profiles.js';

const linear = (db: number) => 10 ** (db / 10);

/** Delay over delay spread and power (sum 1) of the table, the line of sight added to its tap. */
function table(model: TdlModelName) {
  const { taps, lineOfSightDb } = tdlProfiles[model];
  const powers = taps.map(({ powerDb }) => linear(powerDb));
  if (lineOfSightDb !== undefined) powers[0]! += linear(lineOfSightDb);
  const total = powers.reduce((sum, x) => sum + x, 0);
  return taps.map(({ delay }, i) => ({ delay, power: powers[i]! / total }));
}

function moments(profile: readonly { delay: number; power: number }[]) {
  const total = profile.reduce((sum, { power }) => sum + power, 0);
  const mean = profile.reduce((sum, { delay, power }) => sum + power * delay, 0) / total;
  const square = profile.reduce((sum, { delay, power }) => sum + power * delay * delay, 0) / total;
  return { total, mean, rms: Math.sqrt(square - mean * mean) };
}

describe('the tables of TR 38.901, 7.7.2', () => {
  it.each([
    ['tdl-a', 23, 9.6586],
    ['tdl-b', 23, 4.7834],
    ['tdl-c', 24, 8.6523],
    ['tdl-d', 13, 12.525],
    ['tdl-e', 14, 20.6519],
  ] as const)('%s has %i taps up to %f', (model, taps, longest) => {
    expect(tdlProfiles[model].taps.length).toBe(taps);
    expect(Math.max(...tdlProfiles[model].taps.map(({ delay }) => delay))).toBe(longest);
  });

  it.each(tdlModelNames)('%s has an RMS delay spread of 1, which its delays are normalised to', (model) => {
    // As printed, with rounded powers: TDL-D has 0.994.
    expect(Math.abs(moments(table(model)).rms - 1)).toBeLessThan(0.01);
  });

  it.each([
    ['tdl-d', 13.3],
    ['tdl-e', 22],
  ] as const)('%s has the K factor of its note, %f dB', (model, k) => {
    const { taps, lineOfSightDb } = tdlProfiles[model];
    expect(lineOfSightDb! - taps[0]!.powerDb).toBeCloseTo(k, 9);
  });
});

/** Symbols in one delay spread; far above the few over which a tap between symbol times is spread. */
const spread = 100;
const delaySpreadSeconds = spread / 1e8;

/** Mean power of the impulse response over links, by lag from the synchronised tap. */
function impulseResponse(model: TdlModelName, links: number): { delay: number; power: number }[] {
  const channel = createChannelModel({
    model,
    snrDb: 60,
    delaySpreadSeconds,
    dopplerHz: 100,
    timeDomain: true,
    symbolRateHz: 1e8,
  });
  const before = 150;
  const k = before + 21 * spread + 20;
  const impulse = new Float32Array(2 * k);
  impulse[2 * before] = 1;
  const power = new Float64Array(k);
  for (let l = 0; l < links; l++) {
    const { received } = send(channel, impulse, k, link(`impulse-${l}`));
    for (let i = 0; i < k; i++) power[i]! += (received[2 * i]! ** 2 + received[2 * i + 1]! ** 2) / links;
  }
  return Array.from(power, (p, i) => ({ delay: (i - before) / spread, power: p - 1e-6 }));
}

describe.each(tdlModelNames)('the impulse response of %s', (model) => {
  const links = 250;
  const measured = impulseResponse(model, links);
  const expected = table(model);
  const main = expected.reduce((best, tap) => (tap.power > best.power ? tap : best)).delay;

  it('has power 1 and the RMS delay spread that was asked for', () => {
    const { total, rms, mean } = moments(measured);
    // |h|^2 of a Rayleigh tap has deviation 1: taps of power p_l give sqrt(sum p_l^2 / links), of which 4.5.
    const deviation = Math.sqrt(expected.reduce((sum, { power }) => sum + power * power, 0) / links);
    expect(Math.abs(total - 1)).toBeLessThan(4.5 * deviation);
    expect(Math.abs(rms - 1)).toBeLessThan(0.1);
    expect(Math.abs(mean + main - moments(expected).mean)).toBeLessThan(0.1);
  });

  it('has the power of the table within every stretch of delay', () => {
    // Between two delays with no tap near: clusters of taps that are 0.15 spreads or more apart.
    const delays = expected.map(({ delay }) => delay).sort((a, b) => a - b);
    const cuts = [-1];
    for (let i = 1; i < delays.length; i++) {
      if (delays[i]! - delays[i - 1]! > 0.15) cuts.push((delays[i]! + delays[i - 1]!) / 2);
    }
    cuts.push(22);
    expect(cuts.length).toBeGreaterThan(6);
    for (let i = 0; i + 1 < cuts.length; i++) {
      const within = ({ delay }: { delay: number }, shift: number) =>
        delay + shift > cuts[i]! && delay + shift <= cuts[i + 1]!;
      const sum = (taps: readonly { delay: number; power: number }[], shift: number) =>
        taps.reduce((all, tap) => all + (within(tap, shift) ? tap.power : 0), 0);
      const squares = expected.reduce((all, tap) => all + (within(tap, 0) ? tap.power ** 2 : 0), 0);
      const wanted = sum(expected, 0);
      expect(Math.abs(sum(measured, main) - wanted)).toBeLessThan(5 * Math.sqrt(squares / links) + 3e-4);
    }
  });
});

describe('multipath under OFDM', () => {
  it.each(tdlModelNames)('has the frequency correlation of the profile of %s', (model) => {
    const subcarriers = 32;
    const settings = { snrDb: 60, delaySpreadSeconds: 1e-6, dopplerHz: 10, timeDomain: false, subcarriers } as const;
    const channel = createChannelModel({ model, ...settings });
    const links = 600;
    const sums = Array.from({ length: 8 }, () => ({ re: 0, im: 0 }));
    for (let l = 0; l < links; l++) {
      const { gains } = send(channel, ones(subcarriers), subcarriers, link(`frequency-${l}`));
      for (const [d, sum] of sums.entries()) {
        for (let n = 0; n + d < subcarriers; n++) {
          const [a, b, c, e] = [gains[2 * n]!, gains[2 * n + 1]!, gains[2 * (n + d)]!, gains[2 * (n + d) + 1]!];
          sum.re += (c * a + e * b) / (links * (subcarriers - d));
          sum.im += (e * a - c * b) / (links * (subcarriers - d));
        }
      }
    }
    for (const [d, { re, im }] of sums.entries()) {
      let wantedRe = 0;
      let wantedIm = 0;
      for (const { delay, power } of table(model)) {
        const angle = (-2 * Math.PI * d * delay) / subcarriers;
        wantedRe += power * Math.cos(angle);
        wantedIm += power * Math.sin(angle);
      }
      expect(Math.hypot(re - wantedRe, im - wantedIm)).toBeLessThan(0.1);
    }
  });

  it('is the Fourier transform of static taps', () => {
    const taps = [
      { delaySeconds: 0, powerDb: 0, phaseDegrees: 30 },
      { delaySeconds: 3.25e-6, powerDb: -6, phaseDegrees: -100 },
    ];
    const subcarriers = 16;
    const channel = createChannelModel({ model: 'taps', snrDb: 60, taps, timeDomain: false, subcarriers });
    const { gains } = send(channel, ones(40), 7);
    const total = 1 + linear(-6);
    for (let i = 0; i < 40; i++) {
      let re = 0;
      let im = 0;
      for (const { delaySeconds, powerDb, phaseDegrees } of taps) {
        const amplitude = Math.sqrt(linear(powerDb) / total);
        const f = (i % subcarriers) - subcarriers / 2;
        const angle = (phaseDegrees * Math.PI) / 180 - (2 * Math.PI * f * delaySeconds * 1e6) / subcarriers;
        re += amplitude * Math.cos(angle);
        im += amplitude * Math.sin(angle);
      }
      expect(gains[2 * i]).toBeCloseTo(re, 6);
      expect(gains[2 * i + 1]).toBeCloseTo(im, 6);
    }
  });
});

describe('multipath in the time domain', () => {
  const taps = [
    { delaySeconds: 0, powerDb: -10, phaseDegrees: 90 },
    { delaySeconds: 2e-6, powerDb: 0 },
    { delaySeconds: 5e-6, powerDb: -3, phaseDegrees: 180 },
  ];
  const total = 1 + linear(-10) + linear(-3);
  const channel = createChannelModel({ model: 'taps', snrDb: 60, taps, timeDomain: true });

  it('convolves the symbols of a frame with the taps, and tells the strongest', () => {
    const symbols = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i * i));
    const { received, gains } = send(channel, symbols, 20);
    const x = (i: number, part: 0 | 1) => (i < 0 || i >= 20 ? 0 : symbols[2 * i + part]!);
    const amplitude = (db: number) => Math.sqrt(linear(db) / total);
    for (let i = 0; i < 20; i++) {
      // Lags from the strongest: 2 early, 0, 3 late.
      const re = -amplitude(-10) * x(i + 2, 1) + amplitude(0) * x(i, 0) - amplitude(-3) * x(i - 3, 0);
      const im = amplitude(-10) * x(i + 2, 0) + amplitude(0) * x(i, 1) - amplitude(-3) * x(i - 3, 1);
      expect(Math.abs(received[2 * i]! - re)).toBeLessThan(5e-3);
      expect(Math.abs(received[2 * i + 1]! - im)).toBeLessThan(5e-3);
      expect(gains[2 * i]).toBeCloseTo(amplitude(0), 6);
    }
  });

  it('delays a band-limited signal by a fraction of a symbol', () => {
    const half = createChannelModel({
      model: 'taps',
      snrDb: 60,
      taps: [{ delaySeconds: 10.4e-6, powerDb: 0 }],
      timeDomain: true,
    });
    const tone = (t: number) => Math.cos(0.7 * t);
    const symbols = Float32Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? tone(i / 2) : 0));
    const { received } = send(half, symbols, 100);
    // Synchronised to symbol 10 of the delay; 0.4 are left. White symbols keep their power, so the pass band is up by
    // what the window takes off at its edge.
    let product = 0;
    let square = 0;
    for (let i = 20; i < 80; i++) {
      product += received[2 * i]! * tone(i - 0.4);
      square += tone(i - 0.4) ** 2;
    }
    const gain = product / square;
    expect(gain).toBeGreaterThan(1);
    expect(gain).toBeLessThan(1.05);
    for (let i = 20; i < 80; i++) expect(Math.abs(received[2 * i]! - gain * tone(i - 0.4))).toBeLessThan(0.01);
  });

  it('refuses delays that take too many symbols', () => {
    const settings = { model: 'taps', snrDb: 10, timeDomain: true, symbolRateHz: 1e9 } as const;
    expect(() => createChannelModel({ ...settings, taps: [{ delaySeconds: 1e-4, powerDb: 0 }] })).toThrow(
      'longest delay in symbols is 100000; use at most 4096: a shorter delay, a lower symbol rate, or OFDM',
    );
  });
});
