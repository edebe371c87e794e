import { expect, it } from 'vitest';
import { generatedImages } from '../../shared/data/generated.js';
import { paced } from './paced.js';

it('gives the same images, none of them too soon', async () => {
  const source = generatedImages({ width: 4, height: 4, count: 40 });
  const start = performance.now();
  const names: string[] = [];
  for await (const { name } of paced(source, 200).images({ offset: 10, limit: 21 })) {
    names.push(name);
    // Timers of Node may be a millisecond early.
    expect(performance.now() - start).toBeGreaterThan((names.length - 1) * 5 - 2);
  }
  expect(names).toEqual(Array.from({ length: 21 }, (_, i) => `generated/${i + 10}`));
});
