import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createChannelModel } from './channel-config.js';
import { LinkRandom } from './link-random.js';
import { loadRecording } from './recording.js';
import type { ReplaySettings } from './replay.js';
import { type SigmfFrame, type SigmfMeta, type SigmfType, samplesToBytes } from './sigmf.js';

const folder = mkdtempSync(path.join(tmpdir(), 'semlink-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Numbers that look like symbols, the same every time. */
const numbers = (seed: number, k: number) =>
  Float32Array.from({ length: 2 * k }, (_, i) => Math.sin(37 * seed + 3 * i));

function write(name: string, samples: Float32Array, meta: Partial<SigmfMeta>, type: SigmfType = 'cf32_le'): string {
  const global = {
    'core:datatype': type,
    'core:version': '1.2.0',
    ...(type === 'ci16_le' && { 'semlink:scale': 0.001 }),
  };
  writeFileSync(path.join(folder, `${name}.sigmf-data`), samplesToBytes(type, samples, 0.001));
  const file = path.join(folder, `${name}.sigmf-meta`);
  writeFileSync(
    file,
    JSON.stringify({ captures: [], annotations: [], ...meta, global: { ...global, ...meta.global } }),
  );
  return file;
}

function annotation(link: string, start: number, count: number, change: Partial<SigmfFrame> = {}): SigmfFrame {
  return {
    'core:sample_start': start,
    'core:sample_count': count,
    'semlink:link': link,
    'semlink:gains': [0.5, -0.25],
    'semlink:block_symbols': count,
    'semlink:noise_power': 0.125,
    'semlink:snr_db': 9,
    ...change,
  };
}

// Two links between each other, over two files: a has frames of 4, 2 (two gains) and 3 symbols, the last of them lost.
const first = [
  annotation('a', 0, 4),
  annotation('b', 4, 5),
  annotation('a', 9, 2, { 'semlink:gains': [1, 0, 0, 1], 'semlink:block_symbols': 1, 'semlink:noise_power': 0.5 }),
];
const second = [annotation('a', 0, 3, { 'semlink:gains': [0, 0], 'semlink:erased': true, 'semlink:snr_db': 3 })];
const received = [numbers(1, 11), new Float32Array(6)] as const;
const sent = [numbers(2, 11), numbers(3, 3)] as const;
for (const [i, annotations] of [first, second].entries()) {
  write(`air-00000${i}-received`, received[i]!, { annotations });
  write(`air-00000${i}-sent`, sent[i]!, { annotations });
}
const air = path.join(folder, 'air-000000-received.sigmf-meta');

const replay = (change: Partial<ReplaySettings> = {}) =>
  createChannelModel({
    model: 'replay',
    snrDb: 20,
    replay: { file: `${air}#a`, mode: 'samples', loop: true, ...change },
  });
const random = new LinkRandom(1n, 'link');

function send(model: ReturnType<typeof replay>, position: number, symbols: Float32Array) {
  const out = symbols.slice();
  return { ...model.apply(out, { random, position }, out), out };
}

describe('replay of samples', () => {
  it('gives what was received, whatever is sent, with what is known of it, round and round', () => {
    const model = replay();
    for (const round of [0, 9, 18]) {
      expect(send(model, round, numbers(7, 4))).toEqual({
        out: received[0].slice(0, 8),
        gains: [0.5, -0.25],
        blockSymbols: 4,
        noisePower: 0.125,
        snrDb: 9,
      });
      expect(send(model, round + 4, numbers(8, 2))).toMatchObject({
        out: received[0].slice(18, 22),
        gains: [1, 0, 0, 1],
        blockSymbols: 1,
        noisePower: 0.5,
      });
      expect(send(model, round + 6, numbers(9, 3))).toMatchObject({ out: new Float32Array(6), erased: true, snrDb: 3 });
    }
    expect(model).toMatchObject({ name: 'replay', snrDb: 9 });
  });

  it('begins at the position that was set', () => {
    expect(send(replay({ start: 1000 }), 1000, numbers(7, 4)).out).toEqual(received[0].slice(0, 8));
    expect(send(replay({ start: 1000 }), 1000 - 9, numbers(7, 4)).out).toEqual(received[0].slice(0, 8));
    const once = replay({ start: 1000, loop: false });
    expect(() => send(once, 999, numbers(7, 4))).toThrow('begins at position 1000 of the link, which is at 999');
  });

  it('says so when a frame is not as long as the recorded one, or not at its place', () => {
    expect(() => send(replay(), 0, numbers(1, 3))).toThrow(
      'channel_uses is 3; frame 0 of the recording has 4: send frames as they were recorded (policy fixed), or set replay.mode=channel',
    );
    expect(() => send(replay(), 5, numbers(1, 2))).toThrow('the link is 1 symbols into frame 1 of the recording');
  });

  it('ends where the recording does, unless it loops', () => {
    const once = replay({ loop: false });
    expect(send(once, 6, numbers(1, 3)).erased).toBe(true);
    expect(() => send(once, 9, numbers(1, 4))).toThrow('has 9 symbols and 0 are left of them');
  });

  it('takes the samples of somebody else as they come, with the SNR it is told', () => {
    const samples = numbers(5, 10);
    const file = write('usrp', samples, {});
    const model = replay({ file });
    expect(send(model, 7, numbers(1, 6))).toEqual({
      out: Float32Array.from([...samples.slice(14), ...samples.slice(0, 6)]),
      gains: [1, 0],
      blockSymbols: 6,
      noisePower: Math.fround(0.01),
    });
    const integers = write('usrp16', samples, {}, 'ci16_le');
    const { out } = send(replay({ file: integers }), 0, numbers(1, 10));
    for (const [i, value] of samples.entries()) expect(out[i]).toBeCloseTo(value, 2);
  });
});

describe('replay of the channel', () => {
  const model = replay({ mode: 'channel' });

  it('gives what was received to who sends what was sent', () => {
    const { out, ...effect } = send(model, 0, sent[0].slice(0, 8));
    for (const [i, value] of out.entries()) expect(value).toBeCloseTo(received[0][i]!, 6);
    expect(effect).toMatchObject({ gains: [0.5, -0.25], blockSymbols: 4, noisePower: 0.125 });
  });

  it('is linear: the recorded gain times the difference is the difference of what arrives', () => {
    const [one, other] = [numbers(11, 4), numbers(12, 4)];
    const [a, b] = [send(model, 0, one).out, send(model, 0, other).out];
    for (let i = 0; i < 8; i += 2) {
      const [re, im] = [a[i]! - b[i]!, a[i + 1]! - b[i + 1]!];
      const [dRe, dIm] = [one[i]! - other[i]!, one[i + 1]! - other[i + 1]!];
      expect(re).toBeCloseTo(0.5 * dRe + 0.25 * dIm, 6);
      expect(im).toBeCloseTo(0.5 * dIm - 0.25 * dRe, 6);
    }
  });

  it('takes frames of any length, over the borders of recorded ones and over its end', () => {
    const whole = numbers(13, 18);
    const once = send(model, 0, whole);
    expect(once.gains.slice(0, 12)).toEqual([0.5, -0.25, 0.5, -0.25, 0.5, -0.25, 0.5, -0.25, 1, 0, 0, 1]);
    expect(once.gains.slice(12, 20)).toEqual([0, 0, 0, 0, 0, 0, 0.5, -0.25]);
    expect(once.noisePower).toBeCloseTo((4 * 0.125 + 2 * 0.5 + 3 * 0.125) / 9, 6);
    for (let i = 0; i < 18; i += 3) {
      const part = send(model, i, whole.slice(2 * i, 2 * (i + 3)));
      expect(part.out).toEqual(once.out.slice(2 * i, 2 * (i + 3)));
    }
    expect(send(model, 6, numbers(1, 3))).toMatchObject({ erased: true, out: new Float32Array(6) });
  });

  it('needs what was sent', () => {
    write('alone-received', received[0], { annotations: first });
    const file = `${path.join(folder, 'alone-received.sigmf-meta')}#a`;
    expect(() => replay({ file, mode: 'channel' })).toThrow('record with --record-side both');
    expect(send(replay({ file }), 0, numbers(1, 4)).out).toEqual(received[0].slice(0, 8));
  });
});

describe('a recording', () => {
  it('is read once for all of its links, and anew when it has changed', () => {
    expect(loadRecording(`${air}#a`)).toBe(loadRecording(`${air}#a`));
    const file = write('changing', numbers(1, 4), {});
    const before = loadRecording(file);
    write('changing', numbers(1, 5), { annotations: [annotation('a', 0, 5)] });
    expect(loadRecording(file)).not.toBe(before);
  });

  it.each<[string, () => string, string]>([
    ['that is not there', () => path.join(folder, 'none.sigmf-meta'), 'there is no such file'],
    ['of several links', () => air, 'name one as FILE.sigmf-meta#LINK; it has a, b'],
    ['without the link', () => `${air}#z`, 'link of the recording is "z"'],
    ['that is no SigMF by name', () => path.join(folder, 'x.csv'), 'name a recording'],
    ['that is empty', () => write('empty', numbers(1, 0), {}), 'is 0; a link can replay 1 to'],
    ['with NaN', () => write('nan', Float32Array.of(0, 0, 0, Number.NaN), {}), 'every sample must be finite'],
    [
      'cut short',
      () => write('short', numbers(1, 3), { annotations: [annotation('a', 0, 4)] }),
      '4 are needed; was it cut off?',
    ],
    [
      'whose gains do not fit',
      () => write('gains', numbers(1, 4), { annotations: [annotation('a', 0, 4, { 'semlink:gains': [1] })] }),
      'frame 0 of',
    ],
  ])('%s is refused', (_, file, message) => {
    expect(() => replay({ file: file() })).toThrow(message);
  });

  it('is the whole channel', () => {
    const settings = { file: `${air}#a`, mode: 'samples', loop: true } as const;
    const impairments = { shadowingSigmaDb: 3 };
    expect(() => createChannelModel({ model: 'replay', snrDb: 1, replay: settings, impairments })).toThrow(
      'leave them out',
    );
    expect(() => replay({ mode: 'gains' as 'channel' })).toThrow('replay.mode is "gains"; use samples or channel');
    expect(() => replay({ start: -1 })).toThrow('replay.start is -1');
  });
});
