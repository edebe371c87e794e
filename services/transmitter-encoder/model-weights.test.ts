import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelOfLink, parseModelWeights } from './model-weights.js';

const links = Array.from({ length: 20_000 }, (_, i) => `uav-${i}`);
const assign = (text: string) => {
  const weights = parseModelWeights(text);
  return links.map((link) => modelOfLink(link, weights));
};
const shareOf = (version: string, assigned: (string | undefined)[]) =>
  assigned.filter((one) => one === version).length / assigned.length;

describe('weights of models', () => {
  it('are read from one line or many, with comments; a weight of 0 is as none', () => {
    const expected = new Map([
      ['m-cifar10-3', 90],
      ['s-cifar10-2', 2.5],
    ]);
    expect(parseModelWeights('m-cifar10-3=90,s-cifar10-2=2.5')).toEqual(expected);
    expect(parseModelWeights('# canary\nm-cifar10-3 = 90\n\ns-cifar10-2=2.5 # new\nl-cifar10-3=0\n')).toEqual(expected);
    expect(parseModelWeights(' \n# nothing\n').size).toBe(0);
  });

  it.each([
    ['m', 'use VERSION=WEIGHT'],
    ['m=-1', 'use VERSION=WEIGHT'],
    ['m=ten', 'use VERSION=WEIGHT'],
    ['m=1,m=2', 'is there twice'],
    ['m=0,s=0', 'one must be above 0'],
  ])('%s is refused: %s', (text, why) => {
    expect(() => parseModelWeights(text)).toThrow(why);
  });
});

describe('the model of a link', () => {
  it('is none without weights', () => {
    expect(modelOfLink('uav-1', new Map())).toBeUndefined();
  });

  it('is each in the ratio of the weights', () => {
    const canary = assign('old=90,new=10');
    // Four standard errors of a share of 0.1 over 20,000 links are 0.0085.
    expect(shareOf('new', canary)).toBeGreaterThan(0.0915);
    expect(shareOf('new', canary)).toBeLessThan(0.1085);
    const three = assign('a=1,b=2,c=5');
    for (const [version, share] of Object.entries({ a: 0.125, b: 0.25, c: 0.625 })) {
      expect(Math.abs(shareOf(version, three) - share)).toBeLessThan(
        4 * Math.sqrt((share * (1 - share)) / links.length),
      );
    }
  });

  it('stays when the weight of another grows, unless it goes to that one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 1, max: 100 }),
        fc.string({ minLength: 1, maxLength: 20 }),
        (weights, more, link) => {
          const before = new Map(weights.map((weight, i) => [`v${i}`, weight]));
          const after = new Map(before).set('v0', before.get('v0')! + more);
          const [was, is] = [modelOfLink(link, before), modelOfLink(link, after)];
          expect(is === was || is === 'v0').toBe(true);
          // Only the ratio counts.
          const tenfold = new Map([...before].map(([version, weight]) => [version, 10 * weight]));
          expect(modelOfLink(link, tenfold)).toBe(was);
        },
      ),
    );
  });

  it('is the one version that has a weight', () => {
    expect(new Set(assign('only=3'))).toEqual(new Set(['only']));
  });
});
