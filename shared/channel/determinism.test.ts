import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compiledModule } from '../build/compiled.js';
import { type ChannelSettings, createChannelModel, simulatedModelNames, typicalSettings } from './channel-config.js';
import { digest } from './digest.fixture.js';
import { link, ones, send } from './statistics.fixture.js';

const impairments = {
  carrierFrequencyOffsetHz: 777,
  phaseNoiseLinewidthHz: 50,
  shadowingSigmaDb: 4,
  shadowingDecorrelationSeconds: 1e-4,
} as const;
const bursts = { kind: 'gilbert-elliott', goodToBad: 0.01, badToGood: 0.1, unit: 'symbol', stepSymbols: 3 } as const;

/** Every model such that it does not ask what a frame is: no gain or loss a frame. */
const frameless: ChannelSettings[] = simulatedModelNames.map((name): ChannelSettings => {
  const settings = typicalSettings(name, 10);
  if ('coherenceSymbols' in settings) return { ...settings, coherenceSymbols: 5 };
  return 'unit' in settings ? { ...settings, unit: 'symbol' } : settings;
});
frameless.push(
  { model: 'awgn', snrDb: 5, impairments },
  { model: 'rician-block', snrDb: 5, coherenceSymbols: 9, kFactorDb: 3, impairments: { ...impairments, loss: bursts } },
  {
    model: 'tdl-d',
    snrDb: 5,
    delaySpreadSeconds: 1e-6,
    dopplerHz: 900,
    timeDomain: false,
    subcarriers: 12,
    impairments,
  },
  { model: 'jakes', snrDb: 5, dopplerHz: 4e5, kFactorDb: 0, impairments: { loss: { ...bursts, goodToBad: 0.5 } } },
);

/** Models whose frames are units. */
const framed: ChannelSettings[] = [
  { model: 'rayleigh-block', snrDb: 5, coherenceSymbols: 0, impairments },
  { model: 'rician-block', snrDb: 5, coherenceSymbols: 0, kFactorDb: 3 },
  { model: 'gilbert-elliott', snrDb: 5, goodToBad: 0.1, badToGood: 0.3, unit: 'frame', stepSymbols: 16 },
  { model: 'tdl-c', snrDb: 5, delaySpreadSeconds: 1e-6, dopplerHz: 900, timeDomain: true, impairments },
];

describe('every channel', () => {
  it.each(frameless)('does the same to a symbol however symbols are cut into frames: %o', (settings) => {
    const count = 300;
    const all = send(createChannelModel(settings), ones(count), count).received;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: count - 20 }), (frame, position) => {
        // One model for many links: what it remembers of others must not matter.
        const model = createChannelModel(settings);
        send(model, ones(30), 30, link('other'));
        expect(send(model, ones(count), frame).received).toEqual(all);
        expect(send(model, ones(20), 7, undefined, position).received).toEqual(
          all.slice(2 * position, 2 * position + 40),
        );
      }),
      { numRuns: 12 },
    );
  });

  it.each([...frameless, ...framed])('gives a frame the same again, from whatever was sent before: %o', (settings) => {
    const positions = [0, 64, 128, 2 ** 40, 64, 12_345, 2 ** 52, 0];
    const model = createChannelModel(settings);
    const other = link('other');
    for (const position of positions) {
      const one = ones(64);
      const two = ones(64);
      model.apply(ones(64), { random: other, position: position + 5 }, ones(64));
      const effect = model.apply(one, { random: link(), position }, one);
      const fresh = createChannelModel(settings).apply(two, { random: link(), position }, two);
      expect(one).toEqual(two);
      expect(effect).toEqual(fresh);
      expect(one.every(Number.isFinite)).toBe(true);
    }
  });

  it.each([...frameless, ...framed])('gives an output of its own or in place: %o', (settings) => {
    const model = createChannelModel(settings);
    const state = { random: link(), position: 100 };
    const inPlace = ones(48);
    model.apply(inPlace, state, inPlace);
    const sent = ones(48);
    const out = new Float32Array(96);
    model.apply(sent, state, out);
    expect(out).toEqual(inPlace);
    expect(sent).toEqual(ones(48));
  });
});

describe('every process', () => {
  const all = [...frameless, ...framed];

  it('gives the same bytes with and without WebAssembly', () => {
    for (const settings of all) expect(digest(settings, true, 'js')).toBe(digest(settings, true, 'wasm'));
  });

  it('gives the same bytes, with links in any order', () => {
    const script = `
      const { digest } = await import(${JSON.stringify(compiledModule('shared/channel/digest.fixture.ts'))});
      const all = JSON.parse(process.argv[1]);
      process.stdout.write(JSON.stringify(all.map((settings) => digest(settings, true))));`;
    const args = ['--input-type=module', '-e', script, JSON.stringify(all)];
    const elsewhere = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[];
    expect(elsewhere).toEqual(all.map((settings) => digest(settings, false)));
  });
});
