import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../knowledge/store.js';
import { chooseModel, openModel, openModels, SHIPPED_MODELS } from './model-folder.js';
import { pullModels, pushModel, storedVersions } from './model-store.js';

let folder: string;
let stored: string;
let models: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-models-'));
  stored = path.join(folder, 'stored');
  models = path.join(folder, 'models');
});
afterEach(() => rm(folder, { recursive: true }));

const shipped = (version: string) => openModel(path.join(SHIPPED_MODELS, version));

async function storeOf(...versions: string[]) {
  const store = await openStore(stored);
  for (const [i, version] of versions.entries()) await pushModel(store, await shipped(version), i === 0);
  return store;
}

describe('models in a store', () => {
  it('come back as they were, with the default that was named', async () => {
    const store = await storeOf('m-cifar10-3', 's-cifar10-2');
    expect(await storedVersions(store)).toEqual(['m-cifar10-3', 's-cifar10-2']);
    const pulled = await pullModels(store, models);
    expect(pulled.map(({ fetched }) => fetched)).toEqual([true, true]);
    const there = await openModels(models);
    expect([...there.values()].map(({ manifest }) => manifest)).toEqual([
      (await shipped('m-cifar10-3')).manifest,
      (await shipped('s-cifar10-2')).manifest,
    ]);
    expect((await chooseModel(models, there, '')).manifest.version).toBe('m-cifar10-3');
  });

  it('are fetched once, and again when they have changed', async () => {
    const store = await storeOf('s-cifar10-2');
    await pullModels(store, models);
    expect((await pullModels(store, models))[0]!.fetched).toBe(false);
    const manifest = path.join(stored, 's-cifar10-2', 'manifest.json');
    await writeFile(manifest, `${await readFile(manifest, 'utf8')}\n`);
    expect((await pullModels(store, models))[0]!.fetched).toBe(true);
  });

  it('are fetched by name; one that is not there is said with those that are', async () => {
    const store = await storeOf('m-cifar10-3', 's-cifar10-2');
    await pullModels(store, models, ['s-cifar10-2']);
    expect(await readdir(models)).toEqual(['s-cifar10-2']);
    await expect(pullModels(store, models, ['x-cifar10-9'])).rejects.toThrow(
      'no model x-cifar10-9; there are: m-cifar10-3, s-cifar10-2',
    );
    await expect(pullModels(await openStore(path.join(folder, 'nothing')), models)).rejects.toThrow('there are: none');
  });

  it('never take the place of a sound one when they are damaged or incomplete', async () => {
    const store = await storeOf('s-cifar10-2');
    await pullModels(store, models);
    const manifest = path.join(stored, 's-cifar10-2', 'manifest.json');
    await writeFile(manifest, `${await readFile(manifest, 'utf8')}\n`);
    const weights = path.join(stored, 's-cifar10-2', 'weights.safetensors');
    const bytes = await readFile(weights);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(weights, bytes);
    await expect(pullModels(store, models)).rejects.toThrow('weights.safetensors is damaged');
    await rm(weights);
    await expect(pullModels(store, models)).rejects.toThrow('weights.safetensors is missing');
    expect(await readdir(models)).toEqual(['default', 's-cifar10-2']);
    await openModel(path.join(models, 's-cifar10-2'));
  });
});
