import { describe, it } from 'vitest';
import { type ChannelSettings, createChannelModel } from './channel-config.js';
import { expectMean, send, tail } from './statistics.fixture.js';

/** Gray-coded levels of one real dimension, by the bits that choose them. */
const twoLevels = [1, -1];
const fourLevels = [3, 1, -3, -1];

interface Modulation {
  name: string;
  bits: number;
  /** Symbol of unit mean power for a number of `bits` bits. */
  map: (bits: number) => [number, number];
  /** Bit error rate is sum of weight * Q(sqrt(2 a SNR)), for Es/N0 linear. */
  terms: readonly { weight: number; a: number }[];
}

/** Proakis, "Digital Communications", 4-QAM and BPSK; Cho and Yoon, IEEE Trans. Commun. 50 (2002), exact for 16-QAM. */
const modulations: Modulation[] = [
  { name: 'BPSK', bits: 1, map: (b) => [twoLevels[b]!, 0], terms: [{ weight: 1, a: 1 }] },
  {
    name: 'QPSK',
    bits: 2,
    map: (b) => [twoLevels[b >> 1]! * Math.SQRT1_2, twoLevels[b & 1]! * Math.SQRT1_2],
    terms: [{ weight: 1, a: 1 / 2 }],
  },
  {
    name: '16-QAM',
    bits: 4,
    map: (b) => [fourLevels[b >> 2]! / Math.sqrt(10), fourLevels[b & 3]! / Math.sqrt(10)],
    terms: [
      { weight: 3 / 4, a: 1 / 10 },
      { weight: 1 / 2, a: 9 / 10 },
      { weight: -1 / 4, a: 25 / 10 },
    ],
  },
];

const symbols = 120_000;

/** Share of wrong bits of each symbol, after division by the known gain and the nearest point. */
function* errorShares(settings: ChannelSettings, { bits, map }: Modulation, frame: number, every: number) {
  const points = Array.from({ length: 2 ** bits }, (_, b) => map(b));
  const sent = Uint8Array.from({ length: symbols }, (_, i) => ((i * 2654435761) >>> 16) % 2 ** bits);
  const air = new Float32Array(2 * symbols);
  for (const [i, b] of sent.entries()) air.set(points[b]!, 2 * i);
  const { received, gains } = send(createChannelModel(settings), air, frame);
  for (let i = 0; i < symbols; i += every) {
    const [hRe, hIm, yRe, yIm] = [gains[2 * i]!, gains[2 * i + 1]!, received[2 * i]!, received[2 * i + 1]!];
    const power = hRe * hRe + hIm * hIm;
    const zRe = (hRe * yRe + hIm * yIm) / power;
    const zIm = (hRe * yIm - hIm * yRe) / power;
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [b, [re, im]] of points.entries()) {
      const distance = (zRe - re) ** 2 + (zIm - im) ** 2;
      if (distance < least) [best, least] = [b, distance];
    }
    let wrong = 0;
    for (let x = best ^ sent[i]!; x > 0; x >>= 1) wrong += x & 1;
    yield wrong / bits;
  }
}

// Symbols are independent trials (in a block of one gain only the first is taken); the bits of one are not, so the
// spread is taken from the shares themselves: 4.5 standard errors, 1 in 150,000 fails.
describe.each(modulations)('the bit error rate of $name', (modulation) => {
  const snrs = modulation.bits === 4 ? [8, 12, 15] : [0, 4, 7];

  it.each(snrs)('in AWGN at %i dB is that of the closed form', (snrDb) => {
    const snr = 10 ** (snrDb / 10);
    const expected = modulation.terms.reduce((sum, { weight, a }) => sum + weight * tail(Math.sqrt(2 * a * snr)), 0);
    expectMean(errorShares({ model: 'awgn', snrDb }, modulation, 64, 1), expected);
  });

  // The mean of Q(sqrt(2 a SNR |h|^2)) over Rayleigh |h| is (1 - sqrt(a SNR / (1 + a SNR))) / 2.
  const rayleigh: { settings: ChannelSettings; frame: number; every: number }[] = [
    { settings: { model: 'rayleigh-fast', snrDb: 0 }, frame: 64, every: 1 },
    { settings: { model: 'rayleigh-fast', snrDb: 12 }, frame: 64, every: 1 },
    { settings: { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 }, frame: 4, every: 4 },
    { settings: { model: 'rayleigh-block', snrDb: 15, coherenceSymbols: 3 }, frame: 50, every: 3 },
    { settings: { model: 'jakes', snrDb: 10, dopplerHz: 4.9e5 }, frame: 64, every: 97 },
  ];
  it.each(rayleigh)('in Rayleigh fading is that of the closed form: $settings', ({ settings, frame, every }) => {
    const snr = 10 ** (settings.snrDb / 10);
    const rate = (a: number) => (1 - Math.sqrt((a * snr) / (1 + a * snr))) / 2;
    const expected = modulation.terms.reduce((sum, { weight, a }) => sum + weight * rate(a), 0);
    expectMean(errorShares(settings, modulation, frame, every), expected);
  });
});
