import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Engine, type EngineModel } from '../../shared/tensor/engine.js';
import { DataType } from '../../shared/tensor/saved-model.js';
import type { ModelBackend, ModelTensors } from './teacher.js';

/**
 * Opens a TensorFlow SavedModel, run in a thread of its own. Tensors are named as in its graph, for example
 * `serving_default_x:0` and `StatefulPartitionedCall:0`; the feature, where one is asked for, costs a second run.
 *
 * @throws Error with a sentence when the folder holds no SavedModel or TensorFlow is not set up
 */
export async function openSavedModel(folder: string, tensors: ModelTensors, threads: number): Promise<ModelBackend> {
  const sha256 = await folderSha256(folder);
  const engine = new Engine({ threads });
  const models = new Map<string, EngineModel>();
  const load = async (output: string, shape: readonly number[]): Promise<EngineModel> => {
    const known = models.get(output);
    if (known) return known;
    const inputs = [{ name: tensors.input, type: DataType.float32, shape: shape.slice(1) }];
    const model = await engine.load(folder, { inputs, output });
    models.set(output, model);
    return model;
  };
  return {
    sha256,
    async run(input, shape) {
      const run = async (name: string): Promise<Float32Array> => {
        const model = await load(name, shape);
        // The engine keeps what it is given.
        return (await model.run(shape[0]!, [input.slice()])).output;
      };
      const output = await run(tensors.output);
      return { output, ...(tensors.features !== undefined && { features: await run(tensors.features) }) };
    },
    close: () => engine.close(),
  };
}

/** Over the paths and contents of all files. */
async function folderSha256(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new Error(`the teacher's folder ${folder} cannot be read`, { cause });
  });
  const files = names.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  if (!files.includes(path.join(folder, 'saved_model.pb'))) {
    throw new Error(`${folder} is no TensorFlow SavedModel: it has no saved_model.pb`);
  }
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    const content = await readFile(file);
    const digest = createHash('sha256').update(content).digest('hex');
    hash.update(`${path.relative(folder, file).split(path.sep).join('/')}\n${digest}\n`);
  }
  return hash.digest('hex');
}
