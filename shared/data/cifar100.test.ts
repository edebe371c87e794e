import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CIFAR100_RECORD_BYTES, imagesSha256, loadCifar100 } from './cifar100.js';
import { cifar100DataSet, dataSetSha256 } from './labelled-images.js';

/** The value of plane c at (y, x) of image i: no two planes, rows or columns are alike. */
const pixel = (i: number, c: number, y: number, x: number): number =>
  (31 * i + 101 * c + 7 * y + 3 * x * (1 + c)) % 256;
const fineOf = (i: number): number => (13 * i) % 100;
const coarseOf = (fine: number): number => Math.floor(fine / 5);

/** A file of the binary version's layout, written from that layout's definition. */
function written(count: number, first = 0): Buffer {
  const planes = (i: number) =>
    [0, 1, 2].flatMap((c) => Array.from({ length: 1024 }, (_, at) => pixel(i, c, Math.floor(at / 32), at % 32)));
  return Buffer.concat(
    Array.from({ length: count }, (_, n) => {
      const i = first + n;
      return Buffer.from([coarseOf(fineOf(i)), fineOf(i), ...planes(i)]);
    }),
  );
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'semlink-cifar100-'));
  await writeFile(join(folder, 'train.bin'), written(40));
  await writeFile(join(folder, 'test.bin'), written(7, 1000));
});
afterAll(() => rm(folder, { recursive: true }));

describe('loadCifar100', () => {
  it.each([
    ['train', 0, 36],
    ['holdout', 36, 4],
    ['test', 1000, 7],
  ] as const)('gives every pixel and fine class of %s', async (split, first, count) => {
    const loaded = await loadCifar100(split, { folder, verify: false });
    expect(loaded).toMatchObject({ count, width: 32, height: 32, classes: 100 });
    expect([...loaded.labels]).toEqual(Array.from({ length: count }, (_, n) => fineOf(first + n)));
    expect(loaded.images.length).toBe(count * 3072);
    const expected = Uint8Array.from({ length: count * 3072 }, (_, at) => {
      const within = at % 3072;
      const place = Math.floor(within / 3);
      return pixel(first + Math.floor(at / 3072), within % 3, Math.floor(place / 32), place % 32);
    });
    expect(Buffer.compare(loaded.images, expected)).toBe(0);
  });

  it('is what knowledge is checked against', async () => {
    const { images, labels } = await loadCifar100('holdout', { folder, verify: false });
    expect(await cifar100DataSet('holdout', { folder, verify: false })).toMatchObject({
      name: 'cifar100/holdout',
      classes: 100,
      count: 4,
      sha256: dataSetSha256(images, labels),
    });
  });

  it('refuses other images than the published ones, unless it is told otherwise', async () => {
    await expect(loadCifar100('train', { folder })).rejects.toThrow(
      /train\.bin does not hold the 50000 published images of CIFAR-100 but 40 images; .*--no-verify/,
    );
    // As many as were published, and yet not those.
    const many = join(folder, 'many');
    await mkdir(many);
    await writeFile(join(many, 'test.bin'), Buffer.alloc(10_000 * CIFAR100_RECORD_BYTES));
    await expect(loadCifar100('test', { folder: many })).rejects.toThrow('but other images or classes');
  });

  it('says what is wrong with a file and what to do', async () => {
    await expect(loadCifar100('train', { folder: join(folder, 'none') })).rejects.toThrow(
      /none.train\.bin: ENOENT\); unpack the binary version/,
    );
    const bad = await mkdtemp(join(folder, 'bad-'));
    const attempt = async (content: Buffer) => {
      await writeFile(join(bad, 'test.bin'), content);
      return loadCifar100('test', { folder: bad, verify: false });
    };
    await expect(attempt(written(3).subarray(1))).rejects.toThrow('9221 bytes are no whole number of records of 3074');
    await expect(attempt(Buffer.alloc(0))).rejects.toThrow('0 bytes are no whole number');
    const fine = written(3);
    fine[2 * CIFAR100_RECORD_BYTES + 1] = 100;
    await expect(attempt(fine)).rejects.toThrow('image 2 has coarse class 5 of 20, fine 100 of 100');
    const coarse = Buffer.concat([written(2), written(1)]);
    coarse[2 * CIFAR100_RECORD_BYTES] = 9;
    await expect(attempt(coarse)).rejects.toThrow('fine class 0 is in coarse class 0, and at image 2 in 9');
  });
});

describe('imagesSha256', () => {
  const image = (i: number) => written(1, i);
  it('is over the images and fine classes, sorted by their hashes', () => {
    const digests = [3, 4, 5].map((i) => createHash('sha256').update(image(i).subarray(1)).digest());
    const expected = createHash('sha256')
      .update(Buffer.concat(digests.sort(Buffer.compare)))
      .digest('hex');
    expect(imagesSha256(written(3, 3))).toBe(expected);
  });

  it('does not depend on the order, and on everything else', () => {
    const hash = imagesSha256(written(3));
    expect(imagesSha256(Buffer.concat([image(2), image(0), image(1)]))).toBe(hash);
    for (const at of [1, 2, CIFAR100_RECORD_BYTES - 1, 2 * CIFAR100_RECORD_BYTES + 900]) {
      const other = written(3);
      other[at]! ^= 1;
      expect(imagesSha256(other)).not.toBe(hash);
    }
    expect(imagesSha256(Buffer.concat([written(3), image(2)]))).not.toBe(hash);
  });
});
