import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { EngineSource } from '../tensor/engine.js';
import { readSafetensors } from '../tensor/safetensors.js';
import { graphFolder, type PublishedModel, type Role } from './model-folder.js';
import { decoderOnnx, encoderOnnx } from './network-onnx.js';

/** What computes a published model. */
export const BACKENDS = ['onnxruntime', 'tensorflow'] as const;
export type Backend = (typeof BACKENDS)[number];

/**
 * A role's network as a backend takes it: the frozen graph of the model folder for TensorFlow, or one for ONNX Runtime
 * made of the same weights.
 *
 * @throws Error when the weights do not belong to the network of the manifest
 */
export async function modelSource(model: PublishedModel, role: Role, backend: Backend): Promise<EngineSource> {
  if (backend === 'tensorflow') return graphFolder(model, role);
  const { tensors } = readSafetensors(await readFile(path.join(model.folder, 'weights.safetensors')));
  return (role === 'encoder' ? encoderOnnx : decoderOnnx)(model.manifest.network, tensors);
}
