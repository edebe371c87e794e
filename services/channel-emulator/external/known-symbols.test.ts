import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkRandom, Purpose } from '../../../shared/channel/link-random.js';
import { noisePowerOf } from '../../../shared/channel/model.js';
import { estimateChannel, knownSymbols, lagOf } from './known-symbols.js';

/** y = h s + n, with n ~ CN(0, N0). */
function over(sent: Float32Array, [re, im]: [number, number], noisePower: number, link: string): Float32Array {
  const noise = new Float64Array(sent.length);
  new LinkRandom(5n, link).complexNormals(Purpose.noise, 0, sent.length / 2, noise);
  const sigma = Math.sqrt(noisePower / 2);
  return sent.map((value, i) => {
    const mate = i % 2 === 0 ? -im * sent[i + 1]! : im * sent[i - 1]!;
    return re * value + mate + sigma * noise[i]!;
  });
}

function delayed(received: Float32Array, lag: number): Float32Array {
  const out = new Float32Array(received.length);
  out.set(received.subarray(0, received.length - 2 * lag), 2 * lag);
  return out;
}

describe('known symbols', () => {
  it('have unit power, are the same every time, and are like none of their own shifts', () => {
    const symbols = knownSymbols(1_536);
    expect(knownSymbols(40)).toEqual(symbols.slice(0, 80));
    for (let i = 0; i < symbols.length; i += 2) {
      expect(symbols[i]! ** 2 + symbols[i + 1]! ** 2).toBeCloseTo(1, 6);
    }
    let worst = 0;
    for (let lag = 1; lag < 1_024; lag++) {
      let re = 0;
      let im = 0;
      for (let i = 0; i < 1_024; i += 2) {
        re += symbols[i]! * symbols[i + 2 * lag]! + symbols[i + 1]! * symbols[i + 1 + 2 * lag]!;
        im += symbols[i]! * symbols[i + 1 + 2 * lag]! - symbols[i + 1]! * symbols[i + 2 * lag]!;
      }
      worst = Math.max(worst, Math.hypot(re, im) / 512);
    }
    expect(worst).toBeLessThan(0.2);
  });

  it('show any lag at -7 dB, whatever the gain', () => {
    const sent = knownSymbols(1_536);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_024 }), fc.double({ min: 0, max: 6.3, noNaN: true }), (lag, phase) => {
        const gain: [number, number] = [Math.cos(phase), Math.sin(phase)];
        const received = over(delayed(sent, lag), gain, noisePowerOf(-7), `${lag}-${phase}`);
        expect(lagOf(sent.subarray(0, 1_024), received, 1_024)).toBe(lag);
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  it('show none where there is noise alone', () => {
    const sent = knownSymbols(1_536);
    for (let run = 0; run < 60; run++) {
      expect(lagOf(sent.subarray(0, 1_024), over(sent, [0, 0], 1, `none-${run}`), 1_024)).toBeUndefined();
    }
    expect(lagOf(sent.subarray(0, 1_024), new Float32Array(sent.length), 1_024)).toBeUndefined();
  });
});

describe('the channel that pilots show', () => {
  it('has no bias, and the errors of least squares: N0/P for the gain, N0/sqrt(P - 1) for the noise power', () => {
    const pilots = knownSymbols(16);
    const gain: [number, number] = [0.3, -1.1];
    const n0 = noisePowerOf(3);
    const runs = 4_000;
    let [re, im, noise, gainError, noiseError] = [0, 0, 0, 0, 0];
    for (let run = 0; run < runs; run++) {
      const seen = estimateChannel(pilots, over(pilots, gain, n0, `p${run}`), 99);
      re += seen.gain[0] / runs;
      im += seen.gain[1] / runs;
      noise += seen.noisePower / runs;
      gainError += ((seen.gain[0] - gain[0]) ** 2 + (seen.gain[1] - gain[1]) ** 2) / runs;
      noiseError += (seen.noisePower - n0) ** 2 / runs;
    }
    // Five standard deviations of the means.
    expect(Math.abs(re - gain[0])).toBeLessThan(5 * Math.sqrt(n0 / 32 / runs));
    expect(Math.abs(im - gain[1])).toBeLessThan(5 * Math.sqrt(n0 / 32 / runs));
    expect(Math.abs(noise - n0)).toBeLessThan(5 * (n0 / Math.sqrt(15 * runs)));
    expect(gainError / (n0 / 16)).toBeGreaterThan(0.92);
    expect(gainError / (n0 / 16)).toBeLessThan(1.08);
    expect(Math.sqrt(noiseError) / (n0 / Math.sqrt(15))).toBeGreaterThan(0.92);
    expect(Math.sqrt(noiseError) / (n0 / Math.sqrt(15))).toBeLessThan(1.08);
  });

  it('leaves the noise power as declared where there is one pilot', () => {
    expect(estimateChannel(knownSymbols(1), knownSymbols(1), 7)).toEqual({
      gain: [expect.closeTo(1, 6), expect.closeTo(0, 6)],
      noisePower: noisePowerOf(7),
    });
  });
});
