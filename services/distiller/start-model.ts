import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { openModel, SHIPPED_MODELS } from '../../shared/codec/model-folder.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import type { Weights } from '../../shared/codec/weights.js';
import { readSafetensors } from '../../shared/tensor/safetensors.js';

/** A published model that a run begins from. */
export interface StartModel {
  readonly weights: Weights;
  /** What the run's checkpoint and its published model are told by: not where the model lay. */
  readonly origin: StartOrigin;
}

export interface StartOrigin {
  /** Version of the model. */
  readonly model: string;
  /** SHA-256 of its `weights.safetensors`, in hex. */
  readonly weightsSha256: string;
}

/**
 * Opens the model that a run begins from, every file checked.
 *
 * @param wanted name of a model in `models` or among the shipped ones, or a model's folder
 * @param spec the network to be trained; the model's must be the same
 * @throws Error saying where the model was looked for, what is damaged, or how the networks differ
 */
export async function loadStartModel(wanted: string, models: string, spec: NetworkSpec): Promise<StartModel> {
  const { folder, manifest } = await openModel(await folderOf(wanted, models));
  const differing = differences(manifest.network, spec);
  if (differing.length > 0) {
    throw new Error(
      `--start-from ${wanted}: its network is another: ${differing.join('; ')}. ` +
        '--size, --without-adaptation and the longest of --channel-uses must be those it was trained with',
    );
  }
  const { tensors } = readSafetensors(await readFile(path.join(folder, 'weights.safetensors')));
  return {
    weights: tensors,
    origin: { model: manifest.version, weightsSha256: manifest.files['weights.safetensors']! },
  };
}

async function folderOf(wanted: string, models: string): Promise<string> {
  const named = /[\\/]/.test(wanted) ? [] : [path.join(models, wanted), path.join(SHIPPED_MODELS, wanted)];
  const places = [...new Set([...named, path.resolve(wanted)])];
  for (const place of places) {
    const there = await access(path.join(place, 'manifest.json')).then(
      () => true,
      () => false,
    );
    if (there) return place;
  }
  throw new Error(`--start-from ${wanted}: no published model in ${places.join(', nor in ')}`);
}

/** How a published network differs from the one to be trained, a phrase each. */
function differences(published: NetworkSpec, spec: NetworkSpec): string[] {
  const text = (network: NetworkSpec, key: keyof NetworkSpec) => String(network[key] ?? false);
  const keys = [...new Set([...Object.keys(spec), ...Object.keys(published)])] as (keyof NetworkSpec)[];
  return keys
    .filter((key) => text(published, key) !== text(spec, key))
    .map((key) => `${key} ${text(published, key)}, not ${text(spec, key)}`);
}
