import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ModelBackend, ModelTensors } from './teacher.js';

/**
 * Opens an ONNX file. ONNX Runtime is loaded here and nowhere else, so only when a teacher needs it.
 *
 * @param threads threads of one model run
 * @throws Error with a sentence when the file cannot be loaded or lacks a tensor
 */
export async function openOnnx(file: string, tensors: ModelTensors, threads: number): Promise<ModelBackend> {
  const content = await readFile(file).catch((cause: unknown) => {
    throw new Error(`the teacher's file ${file} cannot be read`, { cause });
  });
  const runtime = await import('onnxruntime-node').catch((cause: unknown) => {
    throw new Error('ONNX Runtime cannot be loaded on this machine; its package is onnxruntime-node', { cause });
  });
  let session: InferenceSession;
  try {
    session = await runtime.InferenceSession.create(content, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Threads that wait by spinning take the processor from whatever else runs.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (cause) {
    throw new Error(`${file} cannot be loaded as an ONNX model: ${(cause as Error).message}`, { cause });
  }
  requireName(file, 'input', tensors.input, session.inputNames);
  const wanted = [tensors.output, ...(tensors.features === undefined ? [] : [tensors.features])];
  for (const name of wanted) requireName(file, 'output', name, session.outputNames);
  return {
    sha256: createHash('sha256').update(content).digest('hex'),
    async run(input, shape) {
      const feed = new runtime.Tensor('float32', input, shape);
      const outputs = await session.run({ [tensors.input]: feed }, wanted);
      const values = (name: string): Float32Array => floats(file, name, outputs[name]);
      return {
        output: values(tensors.output),
        ...(tensors.features !== undefined && { features: values(tensors.features) }),
      };
    },
    close: () => session.release(),
  };
}

function requireName(file: string, side: string, name: string, there: readonly string[]): void {
  if (!there.includes(name)) throw new Error(`${file} has no ${side} "${name}"; there are ${there.join(', ')}`);
}

function floats(file: string, name: string, tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new Error(`${file} gives "${name}" as ${tensor?.type ?? 'nothing'}; float32 is needed`);
}
