import { expect, it } from 'vitest';
import { generatedImages } from './generated.js';

const read = async (source: ReturnType<typeof generatedImages>, offset: number, limit: number) => {
  const images: Uint8Array[] = [];
  for await (const { rgb } of source.images({ offset, limit })) images.push(rgb);
  return images;
};

it('image i is the same whatever was read before, and no two are', async () => {
  const source = generatedImages({ width: 5, height: 7, count: 100 });
  const all = await read(source, 0, 1_000);
  expect(all.length).toBe(100);
  expect(all[0]!.length).toBe(5 * 7 * 3);
  expect((await read(source, 42, 2)).map((one) => Buffer.from(one))).toEqual(
    all.slice(42, 44).map((one) => Buffer.from(one)),
  );
  expect(new Set(all.map((one) => Buffer.from(one).toString('hex'))).size).toBe(100);
  const other = await read(generatedImages({ width: 5, height: 7, count: 1 }, 2), 0, 1);
  expect(Buffer.from(other[0]!)).not.toEqual(Buffer.from(all[0]!));
});

it('pixels take every value about equally often', async () => {
  const [rgb] = await read(generatedImages({ width: 256, height: 256, count: 1 }), 0, 1);
  const counts = new Array<number>(256).fill(0);
  for (const value of rgb!) counts[value]!++;
  // 768 of each on average, with a standard deviation of 28.
  expect(Math.min(...counts)).toBeGreaterThan(600);
  expect(Math.max(...counts)).toBeLessThan(940);
});
