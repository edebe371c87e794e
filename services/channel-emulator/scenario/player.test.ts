import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Code } from '../../../shared/rpc/errors.js';
import { patchSettings } from '../control/settings-patch.js';
import { Links } from '../links.js';
import type { ScenarioProgress } from './player.js';
import { Scenarios } from './scenarios.js';

const closing: Scenarios[] = [];
afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

function setup() {
  const links = new Links({ seed: 3n, defaultChannel: { model: 'awgn', snrDb: 0 }, maxLinks: 1000 });
  const scenarios = new Scenarios(links);
  closing.push(scenarios);
  const heard: ScenarioProgress[] = [];
  const run = (file: object) => scenarios.run(JSON.stringify(file), (progress) => heard.push(progress));
  const snrOf = (linkId: string) => links.settingsOf(linkId).channel.snrDb;
  const fly = (linkId: string, k: number) =>
    links.propagate(
      linkId,
      Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2)),
    );
  const patch = (linkId: string, what: object) =>
    links.set(linkId, patchSettings(links.settingsOf(linkId), what), 'set');
  return { links, scenarios, heard, run, snrOf, fly, patch };
}

const snr = (snrDb: number) => ({ channel: { snrDb } });

describe('a scenario on the time of the air', () => {
  // 1,000 symbols a second: symbol i is at i ms.
  const slow = { air: { symbolRateHz: 1000 } };
  const steps = [
    { at: 0, link: 'a', set: snr(0) },
    { at: 0.1, link: 'a', ramp: snr(10), over: 1 },
    { at: 1.5, link: 'a', set: { channel: { model: 'rayleigh-block', coherenceSymbols: 4 } } },
    { at: 2, link: 'a', set: snr(30) },
  ];

  it('sets what is due at the first symbol of each frame', () => {
    const { run, patch, fly, heard, scenarios } = setup();
    patch('a', slow);
    run({ clock: 'air', resolution: 0.1, steps });
    expect(scenarios.size).toBe(1);
    const seen = Array.from({ length: 45 }, () => fly('a', 50)).map(({ snrDb, model }) => `${model} ${snrDb}`);
    // Frame i starts at 50 i ms. The ramp starts at 100 ms and moves by 1 dB each 100 ms.
    const expected = Array.from({ length: 45 }, (_, i) => {
      const at = 50 * i;
      const level = at >= 2000 ? 30 : Math.max(0, Math.min(10, Math.floor((at - 100) / 100)));
      return `${at >= 1500 ? 'rayleigh-block' : 'awgn'} ${level}`;
    });
    expect(seen).toEqual(expected);
    expect(heard.at(-1)).toMatchObject({ state: 'done', stepsDone: 4, round: 1 });
    expect(scenarios.size).toBe(0);
  });

  it('is the same for the same frames, whatever other links do and however fast they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const [one, other] = [setup(), setup()];
        for (const { patch, run } of [one, other]) {
          patch('a', slow);
          run({ clock: 'air', steps, loop: { every: 2.5, times: 2 } });
        }
        for (const k of sizes) {
          other.fly('b', 3);
          expect(other.fly('a', k)).toEqual(one.fly('a', k));
        }
      }),
      { numRuns: 25, seed: 4 },
    );
  });

  it('loops, and stands still while it is paused', () => {
    const { run, patch, fly, scenarios, heard } = setup();
    patch('a', slow);
    const two = [
      { at: 0, link: 'a', set: snr(1) },
      { at: 0.1, link: 'a', set: snr(2) },
    ];
    run({ name: 'l', clock: 'air', steps: two, loop: { every: 0.2, times: 3 } });
    const seen = () => Array.from({ length: 4 }, () => fly('a', 50).snrDb);
    expect(seen()).toEqual([1, 1, 2, 2]);
    expect(seen()).toEqual([1, 1, 2, 2]);
    fly('a', 50);
    scenarios.control('l', 'pause');
    expect(seen()).toEqual([1, 1, 1, 1]);
    scenarios.control('l', 'resume');
    expect(seen()).toEqual([1, 2, 2, 2]);
    expect(heard.at(-1)).toMatchObject({ state: 'done', round: 3, stepsDone: 6 });
  });

  it('that fails on the way stops alone, and the frame goes on', () => {
    const { run, patch, fly, heard, snrOf } = setup();
    patch('a', { ...slow, channel: { model: 'jakes', dopplerHz: 5 } });
    run({ clock: 'air', steps: [{ at: 0.1, link: 'a', set: { channel: { dopplerHz: 50 } } }] });
    // A live change takes away what the scenario counts on.
    patch('a', { channel: { model: 'awgn' } });
    for (let i = 0; i < 5; i++) expect(fly('a', 50).snrDb).toBe(0);
    expect(heard.at(-1)).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('step 1: channel.dopplerHz is 50; awgn has'),
    });
    expect(snrOf('a')).toBe(0);
  });
});

describe('a scenario on the wall clock', () => {
  it('sets, ramps and loops by itself, and says how it goes', async () => {
    const { run, links, snrOf, heard } = setup();
    const levels: number[] = [];
    links.onChange((linkId, change) => {
      expect([linkId, change]).toEqual(['a', 'scenario']);
      levels.push(snrOf('a'));
    });
    const start = performance.now();
    run({
      name: 'w',
      resolution: 0.02,
      loop: { every: 0.25, times: 2 },
      steps: [
        { at: 0, link: 'a', set: snr(5) },
        { at: 0.05, link: 'a', ramp: snr(15), over: 0.1 },
        { at: 0.2, link: 'a', set: snr(-5) },
      ],
    });
    expect(snrOf('a')).toBe(5);
    while (heard.at(-1)!.state === 'running') await sleep(5);
    expect(performance.now() - start).toBeGreaterThanOrEqual(500);
    expect(heard.at(-1)).toMatchObject({ name: 'w', state: 'done', round: 2, rounds: 2, stepsDone: 6 });
    expect(levels[0]).toBe(5);
    expect(levels.at(-1)).toBe(-5);
    // Up in steps of 2 dB at least at some of the grid points, in both rounds, always to the end.
    expect(levels.filter((level) => level === 15).length).toBeGreaterThanOrEqual(2);
    for (const level of levels)
      expect([5, 7, 9, 11, 13, 15, -5].some((one) => Math.abs(one - level) < 1e-9)).toBe(true);
  });

  it('pauses, resumes and stops, and what it set stays', async () => {
    const { run, scenarios, snrOf, heard } = setup();
    run({
      name: 'p',
      steps: [
        { at: 0, set: snr(1) },
        { at: 0.15, set: snr(2) },
        { at: 30, set: snr(3) },
      ],
    });
    scenarios.control('p', 'pause');
    await sleep(250);
    expect(snrOf('x')).toBe(1);
    expect(scenarios.list()).toMatchObject([{ name: 'p', state: 'paused', stepsDone: 1 }]);
    scenarios.control('p', 'resume');
    while (snrOf('x') === 1) await sleep(5);
    scenarios.control('p', 'stop');
    expect(heard.at(-1)).toMatchObject({ state: 'stopped', stepsDone: 2 });
    expect([snrOf('x'), scenarios.size]).toEqual([2, 0]);
  });

  it('leaves live changes of other values alone', async () => {
    const { run, patch, links, heard } = setup();
    run({ steps: [{ at: 0, link: 'a', ramp: snr(10), over: 0.15 }] });
    patch('a', { air: { jitterMs: 4 } });
    while (heard.at(-1)!.state === 'running') await sleep(5);
    expect(links.settingsOf('a')).toMatchObject({ channel: { snrDb: 10 }, air: { jitterMs: 4 } });
  });

  it('ramps the path loss of a budget', async () => {
    const { run, patch, snrOf, heard } = setup();
    patch('a', { budget: { transmitPowerDbm: 20, pathLossDb: 80, noiseFloorDbm: -100 } });
    run({ steps: [{ at: 0, link: 'a', ramp: { budget: { pathLossDb: 110 } }, over: 0.05 }] });
    expect(snrOf('a')).toBe(40);
    while (heard.at(-1)!.state === 'running') await sleep(5);
    expect(snrOf('a')).toBe(10);
  });
});

describe('starting a scenario', () => {
  it('rehearses it over what is set now, and changes nothing when a step would be no good', () => {
    const { run, snrOf, scenarios } = setup();
    const refused = (steps: object[], message: string) => expect(() => run({ steps })).toThrow(message);
    refused(
      [
        { at: 0, set: snr(3) },
        { at: 1, set: snr(99) },
      ],
      'step 2 at 1 s: snr_db is 99; use an average',
    );
    refused([{ at: 0, ramp: snr(99), over: 1 }], 'step 1 at 0 s: snr_db is 99');
    refused(
      [{ at: 0, link: 'a', ramp: { channel: { dopplerHz: 5 } }, over: 1 }],
      'step 1: what channel.dopplerHz ramps from is null; set it to a number first',
    );
    refused(
      [{ at: 0, link: 'a', set: { budget: { pathLossDb: 5 } } }],
      'step 1 at 0 s: budget.transmitPowerDbm is undefined',
    );
    refused([{ at: 0, link: 'a', set: { air: { jitterMs: -1 } } }], 'step 1 at 0 s: air.jitterMs is -1');
    expect(snrOf('a')).toBe(0);
    expect(scenarios.size).toBe(0);
    // In its second round the path loss would be ramped from what the first has made of it.
    expect(() =>
      run({
        loop: { every: 2 },
        steps: [
          { at: 0, link: 'a', ramp: snr(10), over: 1 },
          { at: 1, link: 'a', set: { channel: { model: 'jakes', dopplerHz: 3 } } },
        ],
      }),
    ).not.toThrow();
  });

  it('refuses a second one of its name or for the same link, and knows the others', () => {
    const { run, scenarios } = setup();
    run({ name: 'one', steps: [{ at: 99, link: 'a', set: snr(1) }] });
    expect(() => run({ name: 'one', steps: [{ at: 9, link: 'b', set: snr(1) }] })).toThrow(
      expect.objectContaining({
        code: Code.ALREADY_EXISTS,
        message: expect.stringContaining('name of the scenario is "one"'),
      }),
    );
    expect(() => run({ name: 'two', steps: [{ at: 9, link: 'a', set: snr(1) }] })).toThrow(
      expect.objectContaining({
        code: Code.FAILED_PRECONDITION,
        message: 'scenario that changes link "a" is "one"; it is running: stop it first',
      }),
    );
    run({ name: 'two', steps: [{ at: 9, link: 'b', set: snr(1) }] });
    expect(() => scenarios.control('three', 'stop')).toThrow('name of the scenario is "three"; running: one, two');
  });
});
