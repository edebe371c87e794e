import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../build/compiled.js';
import { writeSafetensors } from '../tensor/safetensors.js';
import { DataType } from '../tensor/saved-model.js';
import type { SessionPorts } from '../tensor/session.js';
import { type Manifest, manifestSchema } from './manifest.js';
import type { NetworkSpec } from './network.js';
import { decoderGraph, encoderGraph, PORTS } from './network-graph.js';
import type { Weights } from './weights.js';

/** The models that come with SemLink. */
export const SHIPPED_MODELS = path.join(projectRoot, 'shared', 'models');

/** A published model on disk. */
export interface PublishedModel {
  folder: string;
  manifest: Manifest;
}

/** The two graphs of a model; each service loads only its own. */
export type Role = 'encoder' | 'decoder';

/** Folder of a role's frozen SavedModel. */
export const graphFolder = (model: PublishedModel, role: Role) => path.join(model.folder, role);

/** What a role's graph is fed and gives; see network-graph.ts for the meaning. */
export function graphPorts(network: NetworkSpec, role: Role): SessionPorts {
  const { width, height, maxChannelUses } = network;
  const column = (name: string) => ({ name, type: DataType.float32, shape: [1] });
  if (role === 'encoder') {
    const { rgb, snrDb, channelUses, symbols } = PORTS.encoder;
    const image = { name: rgb, type: DataType.uint8, shape: [height, width, 3] };
    return { inputs: [image, column(snrDb), column(channelUses)], output: symbols };
  }
  const { symbols, snrDb, channelUses, probabilities } = PORTS.decoder;
  const received = { name: symbols, type: DataType.float32, shape: [maxChannelUses, 2] };
  return { inputs: [received, column(snrDb), column(channelUses)], output: probabilities };
}

/** Every file of a model folder beside its manifest. */
const FILES = ['weights.safetensors', 'encoder/saved_model.pb', 'decoder/saved_model.pb'] as const;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/**
 * Writes a model folder whole or not at all: into a temporary folder beside it, then renamed. An older folder of the
 * same version is replaced.
 *
 * @param parent folder that holds the model folders
 */
export async function publishModel(
  parent: string,
  manifest: Omit<Manifest, 'files'>,
  weights: Weights,
): Promise<PublishedModel> {
  const contents: Record<(typeof FILES)[number], Uint8Array> = {
    'weights.safetensors': writeSafetensors(weights, { format: 'semlink', version: manifest.version }),
    'encoder/saved_model.pb': encoderGraph(manifest.network, weights),
    'decoder/saved_model.pb': decoderGraph(manifest.network, weights),
  };
  const files = Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [name, sha256(bytes)]));
  const complete = manifestSchema.parse({ ...manifest, files });
  await mkdir(parent, { recursive: true });
  const temporary = await mkdtemp(path.join(parent, '.publish-'));
  for (const [name, bytes] of Object.entries(contents)) {
    await mkdir(path.dirname(path.join(temporary, name)), { recursive: true });
    await writeFile(path.join(temporary, name), bytes);
  }
  await writeFile(path.join(temporary, 'manifest.json'), `${JSON.stringify(complete, null, 2)}\n`);
  // A temporary folder is its owner's alone; a published one is for every user that runs a service.
  await chmod(temporary, (await stat(path.join(temporary, 'encoder'))).mode);
  const folder = path.join(parent, manifest.version);
  // At any moment the old folder or the new one is there, whole.
  const old = `${temporary}-old`;
  await rename(folder, old).catch(() => {});
  await rename(temporary, folder);
  await rm(old, { recursive: true, force: true });
  return { folder, manifest: complete };
}

/**
 * Opens a published model and checks every file against its manifest.
 *
 * @throws Error naming the file that is missing, damaged or not what the manifest says
 */
export async function openModel(folder: string): Promise<PublishedModel> {
  const file = path.join(folder, 'manifest.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`no model in ${folder}: its manifest.json cannot be read`, { cause });
  });
  let manifest: Manifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new Error(`${file} is not a valid model manifest: ${why}`, { cause });
  }
  const unnamed = FILES.find((name) => !(name in manifest.files));
  if (unnamed) throw new Error(`${file} has no SHA-256 of ${unnamed}, so it cannot be checked; fetch the model anew`);
  for (const [name, expected] of Object.entries(manifest.files)) {
    const bytes = await readFile(path.join(folder, name)).catch((cause: unknown) => {
      throw new Error(`model ${manifest.version}: ${name} is missing from ${folder}`, { cause });
    });
    if (sha256(bytes) !== expected) {
      throw new Error(
        `model ${manifest.version}: ${name} is damaged (SHA-256 differs from the manifest); fetch it anew`,
      );
    }
  }
  return { folder, manifest };
}

/** Opens every model folder inside `parent`, by version; a folder without a manifest is passed over. */
export async function openModels(parent: string): Promise<Map<string, PublishedModel>> {
  const names = await readdir(parent).catch((cause: unknown) => {
    throw new Error(`the model folder ${parent} cannot be read`, { cause });
  });
  const models = new Map<string, PublishedModel>();
  for (const name of names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const folder = path.join(parent, name);
    const isModel = await stat(path.join(folder, 'manifest.json')).catch(() => undefined);
    if (name.startsWith('.') || !isModel) continue;
    const model = await openModel(folder);
    if (model.manifest.version !== name) {
      throw new Error(`the model in ${folder} is called "${model.manifest.version}"; name its folder so`);
    }
    models.set(model.manifest.version, model);
  }
  if (models.size === 0) throw new Error(`no published model in ${parent}; train one with "semlink train"`);
  return models;
}

/** Text file in a folder of models that names the one taken where nothing else is said. */
const DEFAULT_FILE = 'default';

/**
 * The model to take from a folder.
 *
 * @param models those of `openModels(parent)`
 * @param wanted version asked for; '' takes the one named in the folder's file `default`, without one the last by name
 * @throws Error when there is no such model
 */
export async function chooseModel(
  parent: string,
  models: ReadonlyMap<string, PublishedModel>,
  wanted: string,
): Promise<PublishedModel> {
  const file = path.join(parent, DEFAULT_FILE);
  const named = wanted || (await readFile(file, 'utf8').catch(() => '')).trim();
  const version = named || [...models.keys()].at(-1)!;
  const model = models.get(version);
  if (model) return model;
  const from = wanted ? parent : `${parent}, which its file "${DEFAULT_FILE}" names`;
  throw new Error(`no model "${version}" in ${from}; there are ${[...models.keys()].join(', ')}`);
}
