import { type Dirent, readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { isMissing } from '../config/index.js';
import { decodeImage } from './decode.js';
import { naturalOrder, parseLabelFile, resolveLabels, shortList, type WrittenLabel } from './labels.js';
import { prefetch } from './prefetch.js';
import { type ImageRange, type ImageSource, indicesOf, type SourceImage } from './source.js';

const IMAGE_NAME = /\.(png|jpe?g|webp)$/i;
const LABEL_FILES = ['labels.csv', 'labels.json'];
/** Images decoded ahead of the reader: enough to keep two cores busy, a few megabytes for ordinary photographs. */
const AHEAD = 4;

export interface FolderOptions {
  /** Pixels every image is brought to; 32 by default. How: {@link decodeImage}. */
  readonly width?: number | undefined;
  /** Pixels; 32 by default. */
  readonly height?: number | undefined;
  /** Also images in sub-folders; off by default. Class folders and a label file with `/` in its names turn it on. */
  readonly recursive?: boolean | undefined;
  /**
   * Where labels come from. `auto` (default): `labelFile`, else `labels.csv` or `labels.json` in the folder, else the names
   * of its sub-folders, provided that no image lies outside of them and, with `classNames`, that each is one of those;
   * else there are none. `folders`: the names of the sub-folders. `none`: no labels.
   */
  readonly labels?: 'auto' | 'folders' | 'none' | undefined;
  /** A label file anywhere; format: {@link parseLabelFile}. */
  readonly labelFile?: string | undefined;
  /** The classes in the order of their indices, e.g. the model's. Without it: the label file's, else the names sorted. */
  readonly classNames?: readonly string[] | undefined;
}

/**
 * Opens a folder of PNG, JPEG and WebP images as a source, in natural order of their paths (2.png before 10.png). Hidden
 * files are left out. Only names are read now; an image that turns out unreadable is reported in its place.
 *
 * @throws Error when the folder cannot be read or holds no image, or when labels contradict it: with what to do
 */
export async function openFolder(path: string, options: FolderOptions = {}): Promise<ImageSource> {
  const { width = 32, height = 32 } = options;
  for (const [name, value] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 1 || value > 16_384) {
      throw new RangeError(`${name} is ${value}; it must be a whole number of pixels, 1 to 16384`);
    }
  }
  const folder = resolve(path);
  const listing = await listImages(folder);
  const { files, labels, classNames } = chooseLabels(folder, listing, options);
  if (files.length === 0) {
    const below = listing.length > 0 ? ` (${listing.length} are in sub-folders: choose recursive)` : '';
    throw new Error(`${folder} holds no PNG, JPEG or WebP image${below}`);
  }

  const read = async (index: number): Promise<SourceImage> => {
    const name = files[index]!;
    const label = labels.get(name);
    try {
      const rgb = await decodeImage(join(folder, name), width, height);
      return label === undefined ? { index, name, rgb } : { index, name, rgb, label };
    } catch (error) {
      return { index, name, error: `${name} cannot be read as an image: ${reasonOf(error)}` };
    }
  };
  return {
    name: basename(folder),
    count: files.length,
    width,
    height,
    ...(classNames ? { classNames } : {}),
    images: (range?: ImageRange) => prefetch(indicesOf(files.length, range), AHEAD, read),
  };
}

/** Paths of all images in and below a folder, relative to it, with `/`, in natural order. */
async function listImages(folder: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true, recursive: true });
  } catch (cause) {
    throw new Error(`the folder ${folder} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  const found: string[] = [];
  for (const entry of entries) {
    const name = relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/');
    if (!IMAGE_NAME.test(name) || name.split('/').some((part) => part.startsWith('.'))) continue;
    const isFile = entry.isSymbolicLink()
      ? (await stat(join(folder, name)).catch(() => undefined))?.isFile() === true
      : entry.isFile();
    if (isFile) found.push(name);
  }
  return found.sort(naturalOrder);
}

interface Chosen {
  readonly files: readonly string[];
  readonly labels: ReadonlyMap<string, number>;
  readonly classNames?: readonly string[];
}

function chooseLabels(folder: string, listing: readonly string[], options: FolderOptions): Chosen {
  const { labels: wanted = 'auto', classNames } = options;
  const files = options.recursive ? listing : listing.filter((name) => !name.includes('/'));
  const unlabelled: Chosen = { files, labels: new Map(), ...(classNames ? { classNames } : {}) };
  if (wanted === 'none') return unlabelled;
  if (wanted === 'auto') {
    const file = readLabelFile(folder, options.labelFile);
    if (file) return fromLabelFile(file, folder, listing, files, options);
    if (!looksLikeClassFolders(listing, classNames)) return unlabelled;
  }
  return fromClassFolders(folder, listing, classNames);
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

function readLabelFile(folder: string, given: string | undefined): NamedText | undefined {
  const candidates = given === undefined ? LABEL_FILES.map((name) => join(folder, name)) : [resolve(given)];
  for (const name of candidates) {
    try {
      return { name, text: readFileSync(name, 'utf8') };
    } catch (cause) {
      if (given === undefined && isMissing(cause)) continue;
      throw new Error(`the label file ${name} cannot be read: ${reasonOf(cause)}`, { cause });
    }
  }
  return undefined;
}

function fromLabelFile(
  file: NamedText,
  folder: string,
  listing: readonly string[],
  flat: readonly string[],
  options: FolderOptions,
): Chosen {
  const { labels: written, classNames } = parseLabelFile(file.name, file.text);
  const there = new Set(listing);
  const missing = [...written.keys()].filter((name) => !there.has(name));
  if (missing.length > 0) {
    throw new Error(
      `${file.name} names images that are not in ${folder}: ${shortList(missing, 5)}; correct or remove them`,
    );
  }
  const files = [...written.keys()].some((name) => name.includes('/')) ? listing : flat;
  return { files, ...resolveLabels(written, options.classNames ?? classNames) };
}

const firstFolder = (name: string): string | undefined =>
  name.includes('/') ? name.slice(0, name.indexOf('/')) : undefined;

function looksLikeClassFolders(listing: readonly string[], classNames: readonly string[] | undefined): boolean {
  return listing.every((name) => {
    const parent = firstFolder(name);
    return parent !== undefined && (classNames?.includes(parent) ?? true);
  });
}

function fromClassFolders(
  folder: string,
  listing: readonly string[],
  classNames: readonly string[] | undefined,
): Chosen {
  const written = new Map<string, WrittenLabel>();
  for (const name of listing) {
    const parent = firstFolder(name);
    if (parent === undefined) throw new Error(`${join(folder, name)} is in no class folder; move it into one`);
    written.set(name, parent);
  }
  // A folder is a name even where it reads like a number.
  const known = classNames ?? [...new Set(written.values())].map(String).sort(naturalOrder);
  return { files: listing, ...resolveLabels(written, known) };
}

/** The first line of what went wrong. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
