import { expect, it } from 'vitest';
import { Rates } from './rates.js';

const reading = (frames: number, correct = 0) => new Map(Object.entries({ frames, correct }));

it('takes rates and ratios over the window', () => {
  const rates = new Rates(3_000);
  expect(rates.perSecond('frames')).toBeUndefined();
  for (let second = 0; second <= 10; second++) rates.add(second * 1_000, reading(second * 50, second * 40));
  expect(rates.rise('frames')).toBe(150);
  expect(rates.perSecond('frames')).toBe(50);
  expect(rates.ratio('correct', 'frames')).toBe(0.8);
  // What has just changed shows.
  rates.add(11_000, reading(500, 400));
  rates.add(12_000, reading(500, 400));
  rates.add(13_000, reading(500, 400));
  expect(rates.perSecond('frames')).toBe(0);
  expect(rates.ratio('correct', 'frames')).toBeUndefined();
  expect(rates.rise('unknown')).toBeUndefined();
});

it('starts over with a service that was started again', () => {
  const rates = new Rates(3_000);
  rates.add(0, reading(1_000));
  rates.add(1_000, reading(1_100));
  rates.add(2_000, reading(5));
  expect(rates.perSecond('frames')).toBeUndefined();
  rates.add(3_000, reading(25));
  expect(rates.perSecond('frames')).toBe(20);
});

it('counts a series that has appeared in between from 0', () => {
  const rates = new Rates(3_000);
  rates.add(0, new Map());
  rates.add(2_000, reading(30));
  expect(rates.perSecond('frames')).toBe(15);
});
