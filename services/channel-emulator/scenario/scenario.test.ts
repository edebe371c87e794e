import { describe, expect, it } from 'vitest';
import { parseScenario } from './scenario.js';

const parse = (file: object) => parseScenario(JSON.stringify(file));
const step = (at: number, patch: object, more: object = {}) => ({ at, link: 'a', set: patch, ...more });
const ramp = (at: number, over: number, patch: object, more: object = {}) => ({
  at,
  link: 'a',
  ramp: patch,
  over,
  ...more,
});
const snr = (snrDb: number) => ({ channel: { snrDb } });

describe('a scenario file', () => {
  it('is read with its steps by time and its defaults', () => {
    const scenario = parse({ steps: [ramp(4, 2, snr(20)), step(1, snr(3)), { at: 0, set: snr(1) }] });
    expect(scenario).toMatchObject({ name: 'scenario', clock: 'wall', length: 6, rounds: 1, resolution: 0.05 });
    expect(scenario.steps.map(({ number, at, linkId, over }) => [number, at, linkId, over])).toEqual([
      [3, 0, '', 0],
      [2, 1, 'a', 0],
      [1, 4, 'a', 2],
    ]);
  });

  it('means every link that a step names', () => {
    const scenario = parse({ loop: { every: 9 }, steps: [{ at: 1, link: ['a', 'b', 'a'], reset: true }] });
    expect(scenario.steps.map(({ linkId, patch }) => [linkId, patch])).toEqual([
      ['a', undefined],
      ['b', undefined],
    ]);
    expect([scenario.length, scenario.rounds]).toEqual([9, Number.POSITIVE_INFINITY]);
  });

  it.each<[string, string]>([
    ['{"steps": [', 'it is not JSON: '],
    ['[]', 'the scenario is []; give a JSON object with "steps"'],
    ['{"steps": []}', 'steps is "0 steps"; give a list of 1 to 10000 steps'],
    ['{"step": []}', 'scenario: step is []; there is no such key; there are name, clock, resolution, loop, steps'],
    ['{"name": "no good", "steps": [{"at": 0}]}', 'name is "no good"; use 1 to 64'],
    ['{"clock": "sun", "steps": [{"at": 0}]}', 'clock is "sun"; use "wall" or "air"'],
    ['{"steps": [3]}', 'step 1 is 3; give a JSON object'],
    ['{"steps": [{"at": 0}]}', 'step 1 is "without an action"; give exactly one of "set", "ramp" and "reset"'],
    ['{"steps": [{"at": 0, "link": "a", "reset": true, "set": {}}]}', 'step 1 is "set and reset"; give exactly one'],
    ['{"steps": [{"at": 0, "reset": true}]}', 'step 1: link is undefined; name the link that is reset'],
    ['{"steps": [{"set": {"channel": {"snrDb": 3}}}]}', 'step 1: at is undefined; use 0 to 10000000 seconds'],
    ['{"steps": [{"at": -1, "set": {"channel": {"snrDb": 3}}}]}', 'step 1: at is -1; use 0'],
    ['{"steps": [{"at": 0, "set": {}}]}', 'step 1: set is {}; name what changes'],
    ['{"steps": [{"at": 0, "set": {"channel": {"snr": 3}}}]}', 'step 1: set.channel.snr is 3; there is no such key'],
    ['{"steps": [{"at": 0, "ramp": {"channel": {"snrDb": 3}}}]}', 'step 1: over is undefined; use 0.01'],
    [
      '{"steps": [{"at": 0, "over": 1, "set": {"channel": {"snrDb": 3}}}]}',
      'step 1: over is 1; only a ramp takes time',
    ],
    [
      '{"steps": [{"at": 0, "over": 1, "ramp": {"channel": {"model": "awgn"}}}]}',
      'step 1: ramp.channel.model is "awgn"; only numbers can be ramped',
    ],
    [
      '{"steps": [{"at": 0, "link": "no good", "set": {"channel": {"snrDb": 3}}}]}',
      'step 1: link is "no good"; use ids',
    ],
    ['{"steps": [{"at": 0, "link": [], "set": {"channel": {"snrDb": 3}}}]}', 'step 1: link is []; name at least one'],
    [
      '{"loop": {"times": 2}, "steps": [{"at": 0, "set": {"channel": {"snrDb": 3}}}]}',
      'loop.every is undefined; use 0.05',
    ],
    [
      '{"loop": {"every": 1, "times": 0}, "steps": [{"at": 0, "set": {"channel": {"snrDb": 3}}}]}',
      'loop.times is 0; use a whole',
    ],
    [
      '{"loop": {"every": 1}, "steps": [{"at": 2, "set": {"channel": {"snrDb": 3}}}]}',
      'loop.every is 1; a round takes 2 s',
    ],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => parseScenario(text)).toThrow(message);
  });
});

describe('a scenario that contradicts itself', () => {
  const budget = { budget: { pathLossDb: 90 } };
  it.each<[string, object[], string]>([
    [
      'two values at one time',
      [step(2, snr(5)), step(1, snr(1)), step(2, snr(7))],
      'the scenario contradicts itself: step 1 and step 3 set channel.snrDb of link "a" at 2 s to 5 and 7; leave one out, or give them different times',
    ],
    [
      'a set within a ramp',
      [ramp(1, 4, snr(20)), step(3, snr(0))],
      'step 2 at 3 s changes channel.snrDb while step 1 ramps channel.snrDb of link "a" from 1 to 5 s; move one of them',
    ],
    [
      'two ramps at once',
      [ramp(1, 4, snr(20)), ramp(1, 1, snr(0))],
      'step 2 at 1 s changes channel.snrDb while step 1 ramps',
    ],
    ['a ramp within a ramp', [ramp(1, 4, snr(20)), ramp(4, 4, snr(0))], 'step 2 at 4 s changes channel.snrDb while'],
    [
      'SNR and path loss together',
      [step(1, snr(20)), step(1, budget)],
      'step 1 and step 2 set channel.snrDb and budget.pathLossDb of link "a" at 1 s; they decide the same',
    ],
    [
      'a path loss within a ramp of SNR',
      [ramp(1, 4, snr(20)), step(2, budget)],
      'changes budget.pathLossDb while step 1 ramps channel.snrDb',
    ],
    [
      'another model within a ramp of its parameter',
      [ramp(1, 4, { channel: { dopplerHz: 9 } }), step(2, { channel: { model: 'awgn' } })],
      'changes channel.model while step 1 ramps channel.dopplerHz',
    ],
    [
      'a reset within a ramp',
      [ramp(1, 4, snr(20)), { at: 2, link: 'a', reset: true }],
      'step 2 at 2 s resets the link while step 1 ramps',
    ],
    [
      'a reset and a set at one time',
      [step(2, snr(20)), { at: 2, link: 'a', reset: true }],
      'step 1 and step 2 both reset and set settings of link "a" at 2 s',
    ],
  ])('is refused for %s', (_, steps, message) => {
    expect(() => parse({ steps })).toThrow(message);
  });

  it('is refused for changing its own clock', () => {
    const rate = step(1, { air: { symbolRateHz: 5 } });
    expect(() => parse({ clock: 'air', steps: [rate] })).toThrow(
      'step 1 changes air.symbolRateHz of link "a", by which',
    );
    expect(() => parse({ clock: 'air', steps: [{ at: 0, set: snr(1) }] })).toThrow('step 1 changes the default, and');
  });

  it('is none where steps agree, touch other links or values, or follow one another', () => {
    const ok = [
      step(2, snr(5)),
      step(2, snr(5)),
      step(2, snr(7), { link: 'b' }),
      ramp(2, 4, snr(20)),
      step(3, { air: { jitterMs: 1 } }),
      step(3, { channel: { model: 'awgn' } }),
      step(6, snr(0)),
      ramp(6, 1, snr(3)),
    ];
    expect(parse({ steps: ok }).length).toBe(7);
  });
});
