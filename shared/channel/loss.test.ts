import { describe, expect, it } from 'vitest';
import { createChannelModel } from './channel-config.js';
import type { GilbertElliottSettings } from './channel-settings.js';
import { GilbertElliottLoss } from './loss.js';
import { expectMean, link, ones } from './statistics.fixture.js';

/** 1 for each lost symbol of a link. */
function lostSymbols(settings: GilbertElliottSettings, count: number, frame = 100, random = link()): Uint8Array {
  const loss = new GilbertElliottLoss(settings);
  const lost = new Uint8Array(count);
  for (let at = 0; at < count; at += frame) {
    const k = Math.min(frame, count - at);
    loss.lost({ random, position: at }, k, lost.subarray(at, at + k));
  }
  return lost;
}

/** Lengths of the runs of ones, whole ones only. */
function runs(lost: Uint8Array): number[] {
  const lengths: number[] = [];
  let length = 0;
  for (const one of lost) {
    if (one === 1) length++;
    else if (length > 0) {
      lengths.push(length);
      length = 0;
    }
  }
  return lengths;
}

describe('gilbert-elliott', () => {
  it.each([
    [0.01, 0.1],
    [0.002, 0.02],
    [0.3, 0.7],
    [0.2, 0.05],
  ])('with p = %f, q = %f loses p/(p+q) in bursts of 1/q on average, geometric', (goodToBad, badToGood) => {
    const count = 250_000;
    const lost = lostSymbols({ goodToBad, badToGood, unit: 'symbol' }, count);
    const share = goodToBad / (goodToBad + badToGood);
    const rate = lost.reduce((sum, x) => sum + x, 0) / count;
    // Samples of a chain are worth (1 - r) / (1 + r) independent ones, r = 1 - p - q.
    const memory = (2 - goodToBad - badToGood) / (goodToBad + badToGood);
    expect(Math.abs(rate - share)).toBeLessThan(4.5 * Math.sqrt((share * (1 - share) * memory) / count));
    const bursts = runs(lost);
    expectMean(bursts, 1 / badToGood);
    for (const length of [2, 5, 10]) {
      const survive = (1 - badToGood) ** (length - 1);
      expectMean(
        bursts.map((burst) => (burst >= length ? 1 : 0)),
        survive,
      );
    }
    expectMean(runs(lost.map((x) => 1 - x)), 1 / goodToBad);
  });

  it('loses in each state with its own probability', () => {
    const settings = { goodToBad: 0.02, badToGood: 0.03, lossGood: 0.05, lossBad: 0.6, unit: 'symbol' } as const;
    const lost = lostSymbols(settings, 400_000);
    const share = (at: number) => {
      let sum = 0;
      for (let i = 0; i + at < lost.length; i++) sum += lost[i]! * lost[i + at]!;
      return sum / (lost.length - at);
    };
    const mean = 0.6 * 0.05 + 0.4 * 0.6;
    // Variance of one (0.55^2 0.24), worth 1.95 / 0.05 of an independent one; 4.5 deviations.
    expect(Math.abs(share(0) - mean)).toBeLessThan(4.5 * Math.sqrt((0.55 ** 2 * 0.24 * 39) / 400_000));
    // Covariance (lossBad - lossGood)^2 pi (1 - pi) r^lag.
    for (const lag of [1, 10, 30]) {
      expect(Math.abs(share(lag) - mean ** 2 - 0.55 ** 2 * 0.24 * 0.95 ** lag)).toBeLessThan(0.008);
    }
  });

  it('has the same states however a link is cut, and wherever it is entered', () => {
    const settings = { goodToBad: 0.001, badToGood: 0.01, unit: 'symbol', stepSymbols: 3 } as const;
    const all = lostSymbols(settings, 20_000, 1000);
    expect(lostSymbols(settings, 20_000, 7)).toEqual(all);
    for (const position of [19_000, 0, 12_345, 12_344, 3]) {
      const late = new Uint8Array(50);
      new GilbertElliottLoss(settings).lost({ random: link(), position }, 50, late);
      expect(late).toEqual(all.slice(position, position + 50));
    }
  });

  it('changes state every stepSymbols', () => {
    const lost = lostSymbols({ goodToBad: 0.3, badToGood: 0.3, unit: 'symbol', stepSymbols: 16 }, 16_000);
    for (let i = 1; i < lost.length; i++) if (i % 16 !== 0) expect(lost[i]).toBe(lost[i - 1]);
    expectMean(runs(lost), 16 / 0.3);
  });

  it('loses whole frames, of which nothing arrives', () => {
    const settings = { model: 'gilbert-elliott', snrDb: 20, goodToBad: 0.05, badToGood: 0.25 } as const;
    const model = createChannelModel({ ...settings, unit: 'frame', stepSymbols: 8 });
    const random = link();
    const erased = Uint8Array.from({ length: 20_000 }, (_, frame) => {
      const symbols = ones(8);
      const effect = model.apply(symbols, { random, position: 8 * frame }, symbols);
      expect(symbols.every((x) => x === 0)).toBe(effect.erased === true);
      return effect.erased ? 1 : 0;
    });
    expectMean(runs(erased), 4);
    expect(erased.reduce((sum, x) => sum + x, 0) / erased.length).toBeCloseTo(1 / 6, 1);
  });
});

describe('erasure', () => {
  it.each([0, 0.03, 0.5, 1])('loses symbols with probability %f, which arrive as 0 with gain 0', (probability) => {
    const model = createChannelModel({ model: 'erasure', snrDb: 30, probability, unit: 'symbol' });
    const random = link();
    const lost: number[] = [];
    for (let frame = 0; frame < 500; frame++) {
      const symbols = ones(50);
      const effect = model.apply(symbols, { random, position: 50 * frame }, symbols);
      expect(effect.erased).toBeUndefined();
      for (let i = 0; i < 50; i++) {
        const gain = effect.gains[2 * Math.floor(i / effect.blockSymbols)]!;
        expect(gain).toBe(symbols[2 * i] === 0 && symbols[2 * i + 1] === 0 ? 0 : 1);
        lost.push(1 - gain);
      }
    }
    expectMean(lost, probability);
  });

  it('loses frames independently, on top of any model', () => {
    const impairments = { loss: { kind: 'erasure', probability: 0.2, unit: 'frame' } } as const;
    const model = createChannelModel({ model: 'rayleigh-block', snrDb: 30, coherenceSymbols: 0, impairments });
    const random = link();
    const erased = Array.from({ length: 20_000 }, (_, frame) => {
      const symbols = ones(4);
      return model.apply(symbols, { random, position: 4 * frame }, symbols).erased ? 1 : 0;
    });
    expectMean(erased, 0.2);
    expectMean(
      erased.slice(1).map((x, i) => x * erased[i]!),
      0.04,
    );
    expect(model.name).toBe('rayleigh-block');
  });
});
