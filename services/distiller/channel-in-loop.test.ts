process.env.TF_NUM_INTRAOP_THREADS = '1';

import { describe, expect, it } from 'vitest';
import { equalise } from '../../shared/codec/equaliser.js';
import { seededNormal, seededUniform } from '../../shared/codec/small-model.fixture.js';
import { evaluated } from '../../shared/tensor/evaluated-graph.fixture.js';
import { airFactors, type BatchChannel, type ChannelRange, drawChannels, throughTheAir } from './channel-in-loop.js';

const range: ChannelRange = { snrLowDb: -6, snrHighDb: 20, rayleighShare: 0.3, lengths: [2, 4, 8, 16], groupSize: 1 };
const draw = (count: number, seed: number, of: ChannelRange = range) =>
  drawChannels(Float32Array.from({ length: 4 * count }, seededUniform(seed)), of);

describe('drawChannels', () => {
  const count = 60_000;
  const channel = draw(count, 1);
  const faded = [...channel.gainPower.keys()].filter((i) => channel.gainPower[i] !== 1);

  it('draws the SNR uniformly in dB over its range', () => {
    const part = Array.from(channel.averageSnrDb, (snr) => (snr - range.snrLowDb) / 26);
    expect(Math.min(...channel.averageSnrDb)).toBeGreaterThanOrEqual(-6);
    expect(Math.max(...channel.averageSnrDb)).toBeLessThanOrEqual(20);
    for (const p of [1, 2, 3]) {
      expect(part.reduce((sum, u) => sum + u ** p, 0) / count).toBeCloseTo(1 / (p + 1), 1.8);
    }
  });

  it('fades the given share of images, with |h|^2 exponential of mean 1; the others are AWGN', () => {
    expect(Math.abs(faded.length / count - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / count));
    const gains = faded.map((i) => channel.gainPower[i]!);
    const moment = (p: number) => gains.reduce((sum, g) => sum + g ** p, 0) / gains.length;
    expect(Math.abs(moment(1) - 1)).toBeLessThan(5 / Math.sqrt(gains.length));
    expect(Math.abs(moment(2) - 2)).toBeLessThan(5 * Math.sqrt(20 / gains.length));
    const deep = gains.filter((g) => g < 0.1).length / gains.length;
    expect(deep).toBeCloseTo(1 - Math.exp(-0.1), 1.8);
  });

  it('draws every length equally often', () => {
    for (const k of range.lengths) {
      const share = channel.channelUses.filter((uses) => uses === k).length / count;
      expect(Math.abs(share - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / count));
    }
  });

  it('draws them independently of each other', () => {
    const correlation = (a: number[], b: number[]) => {
      const centred = (xs: number[]) => {
        const mean = xs.reduce((sum, x) => sum + x, 0) / xs.length;
        return xs.map((x) => x - mean);
      };
      const [p, q] = [centred(a), centred(b)];
      const product = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
      return product(p, q) / Math.sqrt(product(p, p) * product(q, q));
    };
    const columns = [channel.averageSnrDb, channel.gainPower, channel.channelUses].map((values) =>
      faded.map((i) => values[i]!),
    );
    for (const [i, a] of columns.entries()) {
      for (const b of columns.slice(i + 1)) {
        expect(Math.abs(correlation(a, b))).toBeLessThan(5 / Math.sqrt(faded.length));
      }
    }
  });

  it('tells noise power and the frame’s own SNR by the conventions', () => {
    for (let i = 0; i < 200; i++) {
      const [snrDb, gain, noise] = [channel.averageSnrDb[i]!, channel.gainPower[i]!, channel.noisePower[i]!];
      expect(noise / 10 ** (-snrDb / 10)).toBeCloseTo(1, 5);
      expect(channel.frameSnrDb[i]).toBeCloseTo(10 * Math.log10(gain / noise), 3);
    }
  });

  it('is all AWGN with a share of 0 and all fading with a share of 1', () => {
    expect(draw(500, 2, { ...range, rayleighShare: 0 }).gainPower.every((gain) => gain === 1)).toBe(true);
    expect(draw(500, 2, { ...range, rayleighShare: 1 }).gainPower.some((gain) => gain === 1)).toBe(false);
  });

  it('stays finite at the ends of the variates', () => {
    const ends = [0, 1 - 2 ** -24];
    for (const u of ends) {
      const { gainPower, frameSnrDb, channelUses } = drawChannels(Float32Array.of(u, 0, u, u), range);
      expect([gainPower[0], frameSnrDb[0]].every(Number.isFinite)).toBe(true);
      expect(range.lengths).toContain(channelUses[0]);
    }
  });
});

describe('throughTheAir', () => {
  const [count, length] = [40, 16];
  const normal = seededNormal(3);
  const channel: BatchChannel = draw(count, 7, { ...range, rayleighShare: 0.5 });
  const symbols = Float32Array.from({ length: count * length * 2 }, (_, i) => {
    const position = Math.floor((i % (2 * length)) / 2);
    return position < channel.channelUses[Math.floor(i / (2 * length))]! ? normal() / Math.SQRT2 : 0;
  });
  const noise = Float32Array.from({ length: count * length * 2 }, normal);
  const shape = [count, length, 2];
  const { values, gradients } = evaluated([{ shape, data: symbols }], (ops, [sent]) => {
    const column = (data: Float32Array) => ops.graph.constant([count, 1], data);
    const { signal, disturbance } = airFactors(channel);
    const air = { signal: column(signal), disturbance: column(disturbance) };
    return [throughTheAir(ops, sent!, air, column(channel.channelUses), ops.graph.constant(shape, noise))];
  });
  const got = values[0]!;

  it('is the equaliser’s output of y = h s + n for an h without phase', () => {
    for (let i = 0; i < count; i++) {
      const k = channel.channelUses[i]!;
      const [h, noisePower] = [Math.sqrt(channel.gainPower[i]!), channel.noisePower[i]!];
      const from = i * length * 2;
      const received = Float32Array.from({ length: 2 * k }, (_, at) => {
        return h * symbols[from + at]! + noise[from + at]! * Math.sqrt(noisePower / 2);
      });
      const expected = new Float32Array(2 * length);
      const snrDb = equalise(received, { gains: [h, 0], blockSymbols: k, noisePower }, expected);
      expect(channel.frameSnrDb[i]).toBeCloseTo(snrDb, 4);
      expected.forEach((value, at) => {
        expect(Math.abs(got[from + at]! - value)).toBeLessThan(1e-5);
      });
    }
  });

  it('brings nothing, not even noise, where nothing was sent', () => {
    for (let i = 0; i < count; i++) {
      const own = got.subarray(i * length * 2, (i + 1) * length * 2);
      const k = channel.channelUses[i]!;
      expect(own.subarray(0, 2 * k).every((v) => v !== 0)).toBe(true);
      expect(own.subarray(2 * k).every((v) => v === 0)).toBe(true);
    }
  });

  it('has the gradient |h|^2 / (|h|^2 + N0) in the symbols', () => {
    gradients[0]!.forEach((value, at) => {
      const i = Math.floor(at / (2 * length));
      const gain = channel.gainPower[i]!;
      expect(value).toBeCloseTo(gain / (gain + channel.noisePower[i]!), 5);
    });
  });
});
