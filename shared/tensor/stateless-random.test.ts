process.env.TF_NUM_INTRAOP_THREADS = '1';

import { describe, expect, it } from 'vitest';
import { loadTensorFlow } from './native.js';
import { statelessRandom } from './stateless-random.js';

const random = statelessRandom(loadTensorFlow());

describe('stateless random numbers', () => {
  const both = [
    ['normal', random.normal],
    ['uniform', random.uniform],
  ] as const;
  const numbers = (draw: typeof random.normal, seed: number, counter: number, count = 1000) =>
    draw(count, seed, counter);

  it.each(both)('%s: a pure function of seed and counter, another for another of either', (_, draw) => {
    const first = numbers(draw, 5, 7);
    numbers(draw, 1, 1);
    expect(numbers(draw, 5, 7)).toEqual(first);
    const others = [numbers(draw, 5, 8), numbers(draw, 6, 7), numbers(draw, 7, 5), numbers(draw, -5, 7)];
    for (const [i, one] of [first, ...others].entries()) {
      for (const other of [first, ...others].slice(i + 1)) expect(one).not.toEqual(other);
    }
  });

  it('are the same on every machine', () => {
    // Philox of TensorFlow 2.18; a change here changes every training run.
    expect([...numbers(random.uniform, 1, 0, 4)]).toEqual([
      0.8784881830215454, 0.4599802494049072, 0.6002912521362305, 0.39259767532348633,
    ]);
  });

  it.each(both)('%s: one number of a stream says nothing about the same of the next counter or seed', (_, draw) => {
    const count = 100_000;
    const centre = (values: Float32Array) => {
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return values.map((v) => v - mean);
    };
    const first = centre(numbers(draw, 9, 0, count));
    const power = first.reduce((sum, v) => sum + v * v, 0);
    for (const other of [numbers(draw, 9, 1, count), numbers(draw, 10, 0, count)]) {
      const product = centre(other).reduce((sum, v, i) => sum + v * first[i]!, 0);
      expect(Math.abs(product / power)).toBeLessThan(5 / Math.sqrt(count));
    }
    const lagged = first.subarray(1).reduce((sum, v, i) => sum + v * first[i]!, 0);
    expect(Math.abs(lagged / power)).toBeLessThan(5 / Math.sqrt(count));
  });

  it('have the moments of their distributions', () => {
    const count = 200_000;
    const moment = (values: Float32Array, p: number) => values.reduce((sum, v) => sum + v ** p, 0) / count;
    const normal = numbers(random.normal, 3, 3, count);
    [0, 1, 0, 3].forEach((expected, i) => {
      const deviation = Math.sqrt([1, 2, 15, 96][i]! / count);
      expect(Math.abs(moment(normal, i + 1) - expected)).toBeLessThan(5 * deviation);
    });
    const uniform = numbers(random.uniform, 3, 3, count);
    for (const p of [1, 2, 3]) expect(Math.abs(moment(uniform, p) - 1 / (p + 1))).toBeLessThan(0.004);
    expect(Math.min(...uniform.subarray(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform.subarray(0, 50_000))).toBeLessThan(1);
  });
});
