import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cacheFolder } from './cache.js';
import { CIFAR10_CLASS_NAMES, CIFAR10_SPLITS, type Cifar10Images, loadCifar10, openCifar10 } from './cifar10.js';
import { isReadable } from './source.js';

/** SHA-256 of the published data_batch_5.bin and test_batch.bin. */
const DATA_BATCH_5 = '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add';
const TEST_BATCH = '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b';

/** The published layout again: label, plane R, plane G, plane B. */
function canonical({ images, labels, count }: Cifar10Images, first: number, number: number): Uint8Array {
  expect(first + number).toBeLessThanOrEqual(count);
  const out = new Uint8Array(number * 3073);
  for (let i = 0; i < number; i++) {
    out[i * 3073] = labels[first + i]!;
    for (let pixel = 0; pixel < 1024; pixel++) {
      for (let plane = 0; plane < 3; plane++) {
        out[i * 3073 + 1 + plane * 1024 + pixel] = images[(first + i) * 3072 + pixel * 3 + plane]!;
      }
    }
  }
  return out;
}

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

describe('loadCifar10', () => {
  it('gives the published test set, pixel for pixel', async () => {
    const test = await loadCifar10('test');
    expect(test.count).toBe(10_000);
    expect(sha256(canonical(test, 0, 10_000))).toBe(TEST_BATCH);
  });

  it('splits the published training set at 45,000', async () => {
    const train = await loadCifar10('train');
    const holdout = await loadCifar10('holdout');
    expect([train.count, holdout.count]).toEqual([45_000, 5_000]);
    expect(sha256(canonical(train, 40_000, 5_000), canonical(holdout, 0, 5_000))).toBe(DATA_BATCH_5);
    const perClass = new Array<number>(10).fill(0);
    for (const label of [...train.labels, ...holdout.labels]) perClass[label]!++;
    expect(perClass).toEqual(new Array(10).fill(5_000));
  });

  it('says what to do when the set-up has not been run, or was damaged', async () => {
    const cache = await mkdtemp(join(tmpdir(), 'semlink-cache-'));
    try {
      await expect(loadCifar10('test', { cache })).rejects.toThrow(/test_batch\.bin: ENOENT.*run `npm run setup`/);
      await mkdir(join(cache, 'cifar10'));
      await writeFile(join(cache, 'cifar10', 'test_batch.bin'), 'short');
      await expect(loadCifar10('test', { cache })).rejects.toThrow(/has 5 bytes instead of 30730000.*npm run setup/);
      await expect(loadCifar10('validation' as 'test')).rejects.toThrow('no split "validation"');
    } finally {
      await rm(cache, { recursive: true });
    }
  });
});

describe('openCifar10', () => {
  it('serves the images of the split one by one', async () => {
    const { images, labels } = await loadCifar10('holdout');
    const source = await openCifar10('holdout');
    expect([source.name, source.count, source.width, source.height]).toEqual(['cifar10/holdout', 5_000, 32, 32]);
    expect(source.classNames).toEqual(CIFAR10_CLASS_NAMES);
    const found: number[] = [];
    for await (const image of source.images({ offset: 4_998, limit: 3, loop: true })) {
      if (!isReadable(image)) throw new Error(image.error);
      expect(image.rgb).toEqual(images.slice(image.index * 3072, (image.index + 1) * 3072));
      expect(image.label).toBe(labels[image.index]);
      found.push(image.index);
    }
    expect(found).toEqual([4_998, 4_999, 0]);
  });
});

describe('the set-up', () => {
  const setup = (name: string) =>
    import(pathToFileURL(join(import.meta.dirname, '../../deploy/setup', name)).href) as Promise<
      Record<string, unknown>
    >;

  it('fetches the files that the splits read', async () => {
    const { CIFAR10_FILES } = await setup('cifar10.mjs');
    const fetched = (CIFAR10_FILES as { name: string }[]).map(({ name }) => name);
    expect([...new Set(Object.values(CIFAR10_SPLITS).flatMap(({ files }) => files))].sort()).toEqual(fetched.sort());
  });

  it('has the same rule for the cache folder', async () => {
    const same = (await setup('cache-folder.mjs')).cacheFolder as typeof cacheFolder;
    for (const env of [
      { SEMLINK_CACHE: 'relative/folder', HOME: '/home/a' },
      { XDG_CACHE_HOME: '/var/cache/a', HOME: '/home/a' },
      { HOME: '/home/a' },
      { SEMLINK_CACHE: '', XDG_CACHE_HOME: '', HOME: '/home/a' },
    ]) {
      expect(cacheFolder(env)).toBe(same(env));
    }
    expect(cacheFolder({ HOME: '/home/a' })).toBe('/home/a/.cache/semlink');
    expect(cacheFolder({ SEMLINK_CACHE: '/big' })).toBe('/big');
  });
});
