import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFolder } from './folder.js';
import { type ImageSource, isReadable, type ReadableImage, type SourceImage } from './source.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'semlink-folder-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Colour {
  r: number;
  g: number;
  b: number;
  alpha?: number;
}

const RED: Colour = { r: 200, g: 30, b: 10 };

/** Writes a picture of one colour; the format follows the name. */
async function put(name: string, colour: Colour = RED, width = 40, height = 30): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  const channels = colour.alpha === undefined ? 3 : 4;
  await sharp({ create: { width, height, channels, background: colour } }).toFile(path);
  return path;
}

async function all(source: ImageSource, range?: Parameters<ImageSource['images']>[0]): Promise<SourceImage[]> {
  const found: SourceImage[] = [];
  for await (const image of source.images(range)) found.push(image);
  return found;
}

function readable(image: SourceImage | undefined): ReadableImage {
  if (!image || !isReadable(image)) throw new Error(`expected a readable image, found ${JSON.stringify(image)}`);
  return image;
}

/** The one colour of an image, within `tolerance` of every pixel. */
function expectColour(image: SourceImage | undefined, [r, g, b]: [number, number, number], tolerance = 0): void {
  const { rgb } = readable(image);
  for (let i = 0; i < rgb.length; i += 3) {
    expect(Math.abs(rgb[i]! - r)).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(rgb[i + 1]! - g)).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(rgb[i + 2]! - b)).toBeLessThanOrEqual(tolerance);
  }
}

describe('openFolder', () => {
  it('reads PNG, JPEG and WebP in natural order, at the wanted size', async () => {
    await put('10.png');
    await put('2.JPG');
    await put('1.webp');
    await put('.hidden.png');
    await writeFile(join(folder, 'notes.txt'), 'not an image');
    const source = await openFolder(folder, { width: 24, height: 16 });
    const images = await all(source);
    expect(images.map(({ name }) => name)).toEqual(['1.webp', '2.JPG', '10.png']);
    expect(images.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(source.count).toBe(3);
    expect(images.map((image) => readable(image).rgb.length)).toEqual([24 * 16 * 3, 24 * 16 * 3, 24 * 16 * 3]);
    expectColour(images[2], [200, 30, 10]);
    expectColour(images[1], [200, 30, 10], 4);
    expect(images.every((image) => !('label' in image))).toBe(true);
  });

  it('gives the very pixels of a lossless image that has the size already', async () => {
    const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7919) % 256);
    await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
      .png()
      .toFile(join(folder, 'exact.png'));
    const [image] = await all(await openFolder(folder));
    expect(readable(image).rgb).toEqual(pixels);
  });

  it('covers the size and cuts to the centre', async () => {
    const width = 96;
    const pixels = new Uint8Array(width * 32 * 3);
    for (let i = 0; i < width * 32; i++) pixels[i * 3 + Math.floor((i % width) / 32)] = 255; // red, green, blue thirds
    await sharp(pixels, { raw: { width, height: 32, channels: 3 } })
      .png()
      .toFile(join(folder, 'wide.png'));
    const [image] = await all(await openFolder(folder));
    expectColour(image, [0, 255, 0]);
  });

  it('lays transparency over white, and turns grey, 16 bits and palettes into RGB', async () => {
    await put('clear.png', { r: 0, g: 0, b: 0, alpha: 0 });
    await sharp({ create: { width: 9, height: 9, channels: 3, background: { r: 77, g: 77, b: 77 } } })
      .toColourspace('b-w')
      .png()
      .toFile(join(folder, 'grey.png'));
    await sharp({ create: { width: 9, height: 9, channels: 3, background: RED } })
      .toColourspace('rgb16')
      .png()
      .toFile(join(folder, 'deep.png'));
    await sharp({ create: { width: 9, height: 9, channels: 3, background: RED } })
      .png({ palette: true })
      .toFile(join(folder, 'palette.png'));
    const images = await all(await openFolder(folder, { width: 8, height: 8 }));
    const named = new Map(images.map((image) => [image.name, image]));
    expectColour(named.get('clear.png'), [255, 255, 255]);
    expectColour(named.get('grey.png'), [77, 77, 77], 1);
    expectColour(named.get('deep.png'), [200, 30, 10], 1);
    expectColour(named.get('palette.png'), [200, 30, 10], 2);
  });

  it('turns an image as its EXIF orientation says', async () => {
    const pixels = new Uint8Array(32 * 32 * 3);
    pixels.fill(255, 0, 16 * 32 * 3); // upper half white
    await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
      .withMetadata({ orientation: 3 }) // upside down
      .png()
      .toFile(join(folder, 'turned.png'));
    const { rgb } = readable((await all(await openFolder(folder)))[0]);
    expect([rgb[0], rgb[rgb.length - 1]]).toEqual([0, 255]);
  });

  it('reports unreadable images in their place and goes on', async () => {
    const whole = await put('a.jpg', RED, 200, 200);
    const { readFile } = await import('node:fs/promises');
    const bytes = await readFile(whole);
    await writeFile(join(folder, 'b.jpg'), bytes.subarray(0, bytes.length / 2));
    await writeFile(join(folder, 'c.png'), 'no picture at all');
    await writeFile(join(folder, 'd.webp'), '');
    await put('e.png');
    const images = await all(await openFolder(folder));
    expect(images.map((image) => isReadable(image))).toEqual([true, false, false, false, true]);
    for (const image of images.slice(1, 4)) {
      expect(isReadable(image) ? '' : image.error).toMatch(new RegExp(`^${image.name} cannot be read as an image: .+`));
    }
  });

  it('reports an image that vanished after the folder was opened', async () => {
    const path = await put('gone.png');
    await put('stays.png');
    const source = await openFolder(folder);
    await rm(path);
    expect((await all(source)).map((image) => isReadable(image))).toEqual([false, true]);
  });

  it('takes limit, offset and loop, and can be read again', async () => {
    for (const name of ['0.png', '1.png', '2.png']) await put(name);
    const source = await openFolder(folder);
    const indices = async (range: Parameters<ImageSource['images']>[0]) =>
      (await all(source, range)).map(({ index }) => index);
    expect(await indices({ offset: 1 })).toEqual([1, 2]);
    expect(await indices({ limit: 2 })).toEqual([0, 1]);
    expect(await indices({ limit: 7, offset: 2, loop: true })).toEqual([2, 0, 1, 2, 0, 1, 2]);
    expect(await indices({ offset: 9 })).toEqual([]);
    expect(await indices({})).toEqual([0, 1, 2]);
    await expect(indices({ limit: -1 })).rejects.toThrow('limit is -1');
  });

  it('labels by sub-folders, sorted or in the order of the given classes', async () => {
    await put('dog/1.png');
    await put('cat/deep/1.png');
    const own = await openFolder(folder);
    expect(own.classNames).toEqual(['cat', 'dog']);
    expect((await all(own)).map((image) => [image.name, readable(image).label])).toEqual([
      ['cat/deep/1.png', 0],
      ['dog/1.png', 1],
    ]);
    const given = await openFolder(folder, { classNames: ['bird', 'dog', 'cat'] });
    expect((await all(given)).map((image) => readable(image).label)).toEqual([2, 1]);
  });

  it('does not take sub-folders for classes when they are none', async () => {
    await put('holiday/1.png');
    const classNames = ['cat', 'dog'];
    const source = await openFolder(folder, { classNames, recursive: true });
    expect('label' in (await all(source))[0]!).toBe(false);
    await expect(openFolder(folder, { classNames })).rejects.toThrow('1 are in sub-folders');
    await expect(openFolder(folder, { classNames, labels: 'folders' })).rejects.toThrow('"holiday"');
  });

  it('labels by a CSV file, in the folder or elsewhere', async () => {
    await put('a.png');
    await put('b, c.png');
    await put('unlabelled.png');
    await writeFile(join(folder, 'labels.csv'), '\uFEFFfile,label\r\na.png,dog\r\n\r\n"b, c.png",cat\r\n');
    const source = await openFolder(folder);
    expect(source.classNames).toEqual(['cat', 'dog']);
    expect((await all(source)).map((image) => readable(image).label)).toEqual([1, 0, undefined]);
    const elsewhere = await mkdtemp(join(tmpdir(), 'semlink-labels-'));
    try {
      await writeFile(join(elsewhere, 'mine.csv'), 'a.png,5\n');
      const other = await openFolder(folder, { labelFile: join(elsewhere, 'mine.csv') });
      expect((await all(other)).map((image) => readable(image).label)).toEqual([5, undefined, undefined]);
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });

  it('labels by a JSON file that reaches into sub-folders', async () => {
    await put('x/a.png');
    await put('b.png');
    const content = { classNames: ['zebra', 'ant'], labels: { 'x/a.png': 'ant', 'b.png': 0 } };
    await writeFile(join(folder, 'labels.json'), JSON.stringify(content));
    const source = await openFolder(folder);
    expect(source.classNames).toEqual(['zebra', 'ant']);
    expect((await all(source)).map((image) => [image.name, readable(image).label])).toEqual([
      ['b.png', 0],
      ['x/a.png', 1],
    ]);
  });

  it('says what is wrong with labels', async () => {
    await put('a.png');
    const withLabels = async (text: string, options = {}) => {
      await writeFile(join(folder, 'labels.csv'), text);
      return openFolder(folder, options);
    };
    await expect(withLabels('a.png,cat\nz.png,cat\n')).rejects.toThrow('names images that are not in');
    await expect(withLabels('a.png,cow', { classNames: ['cat'] })).rejects.toThrow('"cow"');
    await expect(withLabels('a.png,1', { classNames: ['cat'] })).rejects.toThrow('an index below 1');
    await expect(withLabels('a.png cat')).rejects.toThrow('line 1: expected `file,label`');
    await expect(openFolder(folder, { labelFile: join(folder, 'nothing.csv') })).rejects.toThrow('cannot be read');
    expect((await openFolder(folder, { labels: 'none' })).count).toBe(1);
  });

  it('says what is wrong with the folder', async () => {
    await expect(openFolder(folder)).rejects.toThrow('holds no PNG, JPEG or WebP image');
    await expect(openFolder(join(folder, 'nowhere'))).rejects.toThrow('cannot be read');
    await expect(openFolder(folder, { width: 0 })).rejects.toThrow('width is 0');
  });

  it('follows links to files and leaves out broken ones', async () => {
    const path = await put('a.png');
    await symlink(path, join(folder, 'b.png'));
    await symlink(join(folder, 'nowhere.png'), join(folder, 'c.png'));
    expect((await openFolder(folder)).count).toBe(2);
  });
});
