import { describe, expect, it } from 'vitest';
import { patchFromWords, settingsLines, settingsWords } from './settings-text.js';

const plain = async (...words: string[]) => JSON.parse(JSON.stringify(await patchFromWords(words)));

describe('KEY=VALUE words', () => {
  it('make a patch: channel first, groups by their names, kebab or camel case, values as JSON or text', async () => {
    expect(await plain('snr-db=-3.5', 'model=jakes', 'channel.dopplerHz=90', 'air.real-time=true')).toEqual({
      channel: { snrDb: -3.5, model: 'jakes', dopplerHz: 90 },
      air: { realTime: true },
    });
    expect(
      await plain('feedback.pilots=null', 'impairments.shadowing-sigma-db=4', 'taps=[{"delaySeconds":0}]'),
    ).toEqual({
      feedback: { pilots: null },
      channel: { impairments: { shadowingSigmaDb: 4 }, taps: [{ delaySeconds: 0 }] },
    });
  });

  it('say what is wrong with them', async () => {
    await expect(plain('snr-db')).rejects.toThrow('"snr-db" is no setting; write KEY=VALUE');
    await expect(plain('snr-db=1', 'snrDb=2')).rejects.toThrow('channel.snrDb is set twice');
    await expect(plain('feedback.pilots=3', 'feedback.pilots.count=3')).rejects.toThrow(
      'is within "pilots", which is set',
    );
    await expect(plain('trace=@no-such-file.csv')).rejects.toThrow('no-such-file.csv');
  });

  it('reach no prototype', async () => {
    await patchFromWords(['__proto__.polluted=1']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('settings as text', () => {
  const settings = JSON.stringify({
    channel: { model: 'tdl-a', snrDb: 7.123456, dopplerHz: 5, impairments: { shadowingSigmaDb: 3 } },
    budget: { pathLossDb: 99.96 },
    air: { symbolRateHz: 1e6, realTime: true, propagationDelayMs: 2, processingDelayMs: 1 },
    feedback: { delayMs: 10, pilots: null },
  });

  it('names every value in lines, and the important ones in words', () => {
    expect(settingsLines(settings)).toContain('channel.impairments.shadowingSigmaDb  3');
    expect(settingsLines(settings)).toContain('feedback.pilots                       null');
    expect(settingsWords(settings)).toBe(
      'tdl-a, 7.12 dB, path loss 100.0 dB, dopplerHz 5, shadowingSigmaDb, real time 1000000 Bd, delay 3 ms, feedback 10 ms late',
    );
  });
});
