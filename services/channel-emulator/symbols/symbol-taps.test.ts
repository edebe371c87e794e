import { describe, expect, it } from 'vitest';
import { Links } from '../links.js';
import { mostShownSymbols, type SymbolSample, SymbolTaps } from './symbol-taps.js';

function setup(linkId = '', maxFramesPerSecond = 10) {
  const clock = { ms: 0 };
  const taps = new SymbolTaps(() => clock.ms);
  const links = new Links({
    seed: 1n,
    defaultChannel: { model: 'rayleigh-block', snrDb: 5, coherenceSymbols: 0 },
    maxLinks: 10,
  });
  const told: SymbolSample[] = [];
  const reader = { takes: true };
  const watch = () =>
    taps.watch({
      linkId,
      maxFramesPerSecond,
      tell: (sample) => {
        told.push(sample);
        return reader.takes;
      },
    });
  let sequence = 0n;
  /** Sends a frame as the service does. */
  const send = (link: string, k = 4): void => {
    const symbols = Float32Array.from({ length: 2 * k }, (_, i) => Math.sin(i + 1));
    const sent = taps.copySent(link, symbols);
    const passage = links.propagate(link, symbols);
    if (sent) taps.show({ linkId: link, sequence: sequence++ }, sent, symbols, passage);
    symbols.fill(Number.NaN);
  };
  return { clock, taps, told, reader, watch, send };
}

describe('taps on the symbols', () => {
  it('copy nothing while nobody looks', () => {
    const { taps, watch } = setup();
    const symbols = new Float32Array(8);
    expect(taps.copySent('a', symbols)).toBeUndefined();
    watch().close();
    expect(taps.copySent('a', symbols)).toBeUndefined();
    expect(taps.size).toBe(0);
  });

  it('show what was sent and what arrived: y = h s + n with a noise of the right power', () => {
    const { told, watch, send } = setup();
    watch();
    send('a', mostShownSymbols);
    const [{ sent, received, passage }] = told as [SymbolSample];
    const [re, im] = passage.gains as [number, number];
    let power = 0;
    for (let i = 0; i < sent.length; i += 2) {
      const noiseRe = received[i]! - (re * sent[i]! - im * sent[i + 1]!);
      const noiseIm = received[i + 1]! - (re * sent[i + 1]! + im * sent[i]!);
      power += noiseRe ** 2 + noiseIm ** 2;
    }
    power /= mostShownSymbols;
    // The mean of 1,024 exponentials: one standard deviation is 3 %.
    expect(power / passage.noisePower).toBeGreaterThan(0.85);
    expect(power / passage.noisePower).toBeLessThan(1.15);
  });

  it('sample at most so many a second, and say how many passed', () => {
    const { clock, told, watch, send } = setup('', 10);
    watch();
    // 1,000 frames a second for a second.
    for (; clock.ms < 1000; clock.ms++) send('a');
    expect(told).toHaveLength(10);
    expect(told.slice(1).map(({ skipped }) => skipped)).toEqual(Array(9).fill(99));
    // After a pause: at once, and no burst to make up for it.
    clock.ms += 10_000;
    for (let i = 0; i < 5; i++) send('a');
    expect(told).toHaveLength(11);
  });

  it('show one link to who asked for one', () => {
    const { clock, told, watch, send } = setup('b');
    watch();
    for (const link of ['a', 'b', 'c', 'b']) {
      clock.ms += 500;
      send(link);
    }
    expect(told.map(({ linkId }) => linkId)).toEqual(['b', 'b']);
    expect(told.map(({ skipped }) => skipped)).toEqual([0, 0]);
  });

  it('keep nothing for a reader that is slow', () => {
    const { clock, told, reader, watch, send } = setup();
    const watcher = watch();
    reader.takes = false;
    for (let i = 0; i < 100; i++) {
      clock.ms += 500;
      send('a');
    }
    expect(told).toHaveLength(1);
    reader.takes = true;
    watcher.resume();
    clock.ms += 500;
    send('a');
    expect(told).toHaveLength(2);
    expect(told[1]!.skipped).toBe(99);
  });

  it('cut long frames', () => {
    const { told, watch, send } = setup();
    watch();
    send('a', 4 * mostShownSymbols);
    expect(told[0]!.channelUses).toBe(4 * mostShownSymbols);
    expect(told[0]!.sent).toHaveLength(2 * mostShownSymbols);
    expect(told[0]!.received).toHaveLength(2 * mostShownSymbols);
  });
});
