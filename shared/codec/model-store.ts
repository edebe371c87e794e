/** Published models in an object store (or a folder): fetched when a service starts, stored after training. */
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KnowledgeStore } from '../knowledge/store.js';
import { Code, SemlinkError } from '../rpc/errors.js';
import { manifestSchema } from './manifest.js';
import { openModel, type PublishedModel } from './model-folder.js';

const MANIFEST = 'manifest.json';
/** In the parent of the models: names the one to take. */
const DEFAULT = 'default';

async function readWhole(store: KnowledgeStore, name: string): Promise<Uint8Array | undefined> {
  const size = await store.size(name);
  return size === undefined ? undefined : store.read(name, 0, size);
}

/** Versions in a store, in the order of their names. */
export async function storedVersions(store: KnowledgeStore): Promise<string[]> {
  const versions: string[] = [];
  for await (const name of store.list()) {
    const [version, file, ...rest] = name.split('/');
    if (file === MANIFEST && rest.length === 0) versions.push(version!);
  }
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/**
 * Fetches models into a folder of models, each whole or not at all, every file checked against the manifest. One that is
 * there already, with the same manifest, is left alone.
 *
 * @param only versions; empty: all there are
 * @returns the models, and which of them were fetched now
 * @throws SemlinkError NOT_FOUND when a version is not in the store, Error when what is there is damaged
 */
export async function pullModels(
  store: KnowledgeStore,
  folder: string,
  only: readonly string[] = [],
): Promise<{ model: PublishedModel; fetched: boolean }[]> {
  const stored = await storedVersions(store);
  const missing = only.find((version) => !stored.includes(version));
  if (missing !== undefined || stored.length === 0) {
    const there = stored.join(', ') || 'none';
    throw new SemlinkError(Code.NOT_FOUND, `${store.url}: no model ${missing ?? ''}; there are: ${there}`);
  }
  await mkdir(folder, { recursive: true });
  const pulled: { model: PublishedModel; fetched: boolean }[] = [];
  for (const version of only.length > 0 ? only : stored) pulled.push(await pullOne(store, folder, version));
  const chosen = await readWhole(store, DEFAULT);
  const name = chosen && Buffer.from(chosen).toString('utf8').trim();
  if (chosen && pulled.some(({ model }) => model.manifest.version === name)) {
    await writeFile(path.join(folder, DEFAULT), chosen);
  }
  return pulled;
}

async function pullOne(store: KnowledgeStore, folder: string, version: string) {
  const target = path.join(folder, version);
  const text = (await readWhole(store, `${version}/${MANIFEST}`))!;
  const known = await readFile(path.join(target, MANIFEST)).catch(() => undefined);
  if (known?.equals(text)) return { model: await openModel(target), fetched: false };
  const manifest = manifestSchema.parse(JSON.parse(Buffer.from(text).toString('utf8')));
  const temporary = await mkdtemp(path.join(folder, '.pull-'));
  try {
    for (const name of Object.keys(manifest.files)) {
      const bytes = await readWhole(store, `${version}/${name}`);
      if (!bytes) throw new SemlinkError(Code.NOT_FOUND, `${store.url}: ${version}/${name} is missing`);
      await mkdir(path.dirname(path.join(temporary, name)), { recursive: true });
      await writeFile(path.join(temporary, name), bytes);
    }
    await writeFile(path.join(temporary, MANIFEST), text);
    // What is damaged never stands under its name.
    await openModel(temporary);
    // A temporary folder is its owner's alone; a model is for every user that runs a service.
    await chmod(temporary, 0o755);
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return { model: await openModel(target), fetched: true };
}

/**
 * Stores a model, its manifest last, so that nobody fetches a part of it.
 *
 * @param makeDefault also names it as the one to take where nothing else is said
 */
export async function pushModel(
  store: KnowledgeStore,
  { folder, manifest }: PublishedModel,
  makeDefault: boolean,
): Promise<void> {
  const put = async (name: string) => {
    await store.write(`${manifest.version}/${name}`, [await readFile(path.join(folder, name))]);
  };
  for (const name of Object.keys(manifest.files)) await put(name);
  await put(MANIFEST);
  if (makeDefault) await store.write(DEFAULT, [Buffer.from(`${manifest.version}\n`)]);
}
