import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  GRPCInferenceService,
  type ModelInferRequest,
  ModelInferResponseSchema,
  ModelMetadataResponseSchema,
  ModelReadyResponseSchema,
} from '../../shared/gen/inference/grpc_service_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import { type ServerHandle, startServer } from '../../shared/rpc/server.js';
import { DataType, SavedModelGraph } from '../../shared/tensor/saved-model.js';
import { openTeacher } from './ensemble.js';
import { type ColourModel, colourLogits, colourModel, softmax, writeColourModel } from './onnx.fixture.js';
import { readTeacherSpec } from './spec.js';
import type { Teacher } from './teacher.js';

const SIZE = 8;
const IMAGE_BYTES = SIZE * SIZE * 3;
const options = { width: SIZE, height: SIZE };
let folder: string;
let models: ColourModel[];
const at = (name: string): string => path.join(folder, name);

const rgb = Uint8Array.from(
  { length: 5 * IMAGE_BYTES },
  (_, i) => (i * 37 + Math.floor(i / IMAGE_BYTES) * 91 * (1 + (i % 3))) % 256,
);
const image = (i: number): Uint8Array => rgb.subarray(i * IMAGE_BYTES, (i + 1) * IMAGE_BYTES);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-teacher-'));
  models = [colourModel(1), colourModel(2), colourModel(3, 12)];
  for (const [i, model] of models.entries()) await writeColourModel(at(`model-${i}.onnx`), model);
});

async function open(spec: unknown): Promise<Teacher> {
  const file = at(`teacher-${Math.random().toString(36).slice(2)}.json`);
  await writeFile(file, JSON.stringify(spec));
  return openTeacher(await readTeacherSpec(file), options);
}

async function expectProbabilities(teacher: Teacher, due: (rgb: Uint8Array) => number[], digits = 5): Promise<void> {
  const { probabilities } = await teacher.predict(rgb, 5);
  expect(probabilities.length).toBe(5 * teacher.classes);
  for (let i = 0; i < 5; i++) {
    const expected = due(image(i));
    for (const [c, p] of expected.entries()) expect(probabilities[i * teacher.classes + c]!).toBeCloseTo(p, digits);
  }
}

describe('an ONNX teacher', () => {
  it('is its file, normalised as its description says', async () => {
    const mean = [0.4, 0.5, 0.6];
    const std = [0.2, 0.25, 0.3];
    const members = [{ kind: 'onnx', file: 'model-0.onnx', mean, std, features: 'features', temperature: 2 }];
    const teacher = await open({ name: 'one', members });
    expect([teacher.classes, teacher.featureSize]).toEqual([10, 3]);
    await expectProbabilities(teacher, (one) => softmax(colourLogits(models[0]!, one, mean, std).logits, 2));
    const { features } = await teacher.predict(rgb, 5);
    for (let i = 0; i < 5; i++) {
      for (const [d, value] of colourLogits(models[0]!, image(i), mean, std).features.entries()) {
        expect(features![3 * i + d]!).toBeCloseTo(value, 4);
      }
    }
    await teacher.close();
  });

  it('of several members is the mean of their probabilities by weight, each with a size of its own', async () => {
    const teacher = await open({
      name: 'three',
      members: [
        { kind: 'onnx', file: 'model-0.onnx', weight: 1 },
        { kind: 'onnx', file: 'model-1.onnx', weight: 2 },
        // Means over pixels are not changed much by enlarging 8 x 8 to 12 x 12.
        { kind: 'onnx', file: 'model-2.onnx', weight: 1, size: 12 },
      ],
    });
    await expectProbabilities(
      teacher,
      (one) => {
        const [a, b, c] = models.map((model) => softmax(colourLogits(model, one).logits));
        return a!.map((p, k) => (p + 2 * b![k]! + c![k]!) / 4);
      },
      2,
    );
    await teacher.close();
  });

  it('does not look at the other images of a batch', async () => {
    const teacher = await open({ name: 'one', members: [{ kind: 'onnx', file: 'model-1.onnx' }] });
    const together = (await teacher.predict(rgb, 5)).probabilities;
    for (let i = 0; i < 5; i++) {
      const alone = (await teacher.predict(image(i), 1)).probabilities;
      expect([...alone]).toEqual([...together.subarray(10 * i, 10 * i + 10)]);
    }
    await teacher.close();
  });

  it('has a checksum that follows from files and description, not from paths', async () => {
    const sha = async (member: object, name = 'x'): Promise<string> => {
      const teacher = await open({ name, members: [{ kind: 'onnx', file: 'model-0.onnx', ...member }] });
      await teacher.close();
      return teacher.sha256;
    };
    const plain = await sha({});
    expect(await sha({ file: at('model-0.onnx') }, 'another name')).toBe(plain);
    const others = [
      await sha({ file: 'model-1.onnx' }),
      await sha({ mean: [0, 0, 0.1] }),
      await sha({ temperature: 2 }),
    ];
    expect(new Set([plain, ...others]).size).toBe(4);
  });

  it.each([
    [{ file: 'missing.onnx' }, /missing\.onnx cannot be read/],
    [{ file: 'model-0.onnx', output: 'probs' }, /no output "probs"; there are logits, features/],
    [{ file: 'model-0.onnx', input: 'image' }, /no input "image"; there are x/],
    [{ file: 'model-0.onnx', size: 9 }, /Got invalid dimensions|index: 2/],
  ])('that does not fit is refused: %j', async (member, message) => {
    await expect(open({ name: 'x', members: [{ kind: 'onnx', ...member }] })).rejects.toThrow(message);
  });

  it('whose members disagree about the classes is refused', async () => {
    await writeColourModel(at('five.onnx'), colourModel(4, SIZE, 5));
    const members = ['model-0.onnx', 'five.onnx'].map((file) => ({ kind: 'onnx', file }));
    await expect(open({ name: 'x', members })).rejects.toThrow(/five\.onnx gives 5 classes/);
  });
});

describe('a teacher specification', () => {
  it('may be an .onnx file, a folder or a URL, with default names', async () => {
    expect((await readTeacherSpec(at('model-0.onnx'))).members).toMatchObject([
      { kind: 'onnx', input: 'x', std: [1, 1, 1] },
    ]);
    expect((await readTeacherSpec(folder)).members).toMatchObject([{ kind: 'saved-model', folder }]);
    expect((await readTeacherSpec('grpc://[::1]:8001/large/2')).members).toMatchObject([
      { kind: 'open-inference', address: '[::1]:8001', model: 'large', version: '2' },
    ]);
  });

  it('that makes no sense is refused with what is wrong', async () => {
    await expect(readTeacherSpec(at('nothing.json'))).rejects.toThrow('no such file');
    await writeFile(at('bad.json'), '{"name": "x", "members": [{"kind": "onnx", "file": "f", "std": [1, 0, 1]}]}');
    await expect(readTeacherSpec(at('bad.json'))).rejects.toThrow('members.0.std: must be above 0');
    await writeFile(at('worse.json'), '{"name": "x", "members": [{"kind": "onnx", "file": "f", "weigth": 2}]}');
    await expect(readTeacherSpec(at('worse.json'))).rejects.toThrow(/weigth/);
  });
});

describe('a teacher behind the Open Inference Protocol', () => {
  let server: ServerHandle;
  /** What the server was asked last. */
  let asked: ModelInferRequest;
  /** Whether it answers in raw bytes or in typed contents: both are allowed. */
  let raw = true;
  let calls = 0;

  beforeAll(async () => {
    const tensors = (...names: string[]) => names.map((name) => ({ name, datatype: 'FP32', shape: [-1n, 10n] }));
    const service = implementService(GRPCInferenceService, {
      modelReady: ({ name }) => create(ModelReadyResponseSchema, { ready: name !== 'loading' }),
      modelMetadata: ({ name }) =>
        create(ModelMetadataResponseSchema, {
          name,
          versions: ['1'],
          inputs: tensors('x'),
          outputs: tensors('logits', 'features'),
        }),
      modelInfer: (request) => {
        asked = request;
        calls++;
        const [count] = request.inputs[0]!.shape.map(Number);
        const bytes = request.rawInputContents[0]!;
        const input = new Float32Array(bytes.slice().buffer);
        const plane = SIZE * SIZE;
        const answers = Array.from({ length: count! }, (_, i) => {
          const pixels = Uint8Array.from({ length: IMAGE_BYTES }, (_, p) =>
            Math.round(255 * input[i * IMAGE_BYTES + (p % 3) * plane + Math.floor(p / 3)]!),
          );
          return colourLogits(models[0]!, pixels);
        });
        const outputs = request.outputs.map(({ name }) => {
          const rows = answers.map((answer) => (name === 'features' ? answer.features : answer.logits));
          return { name, values: Float32Array.from(rows.flat()), shape: [BigInt(count!), BigInt(rows[0]!.length)] };
        });
        return create(ModelInferResponseSchema, {
          modelName: request.modelName,
          outputs: outputs.map(({ name, shape, values }) => ({
            name,
            datatype: 'FP32',
            shape,
            ...(raw ? {} : { contents: { fp32Contents: [...values] } }),
          })),
          rawOutputContents: raw ? outputs.map(({ values }) => new Uint8Array(values.buffer)) : [],
        });
      },
    });
    server = await startServer({ role: 'model-server', listen: '127.0.0.1:0', services: [service] });
    return async () => void (await server.drain());
  });

  it.each([true, false])('is asked over gRPC (answers in raw bytes: %s)', async (inRawBytes) => {
    raw = inRawBytes;
    calls = 0;
    const members = [
      { kind: 'open-inference', address: server.address, model: 'large', version: '1', features: 'features' },
    ];
    const teacher = await open({ name: 'remote', members });
    expect([teacher.classes, teacher.featureSize]).toEqual([10, 3]);
    await expectProbabilities(teacher, (one) => softmax(colourLogits(models[0]!, one).logits));
    expect(calls).toBe(2);
    expect(asked.modelName).toBe('large');
    expect(asked.inputs[0]!.shape).toEqual([5n, 3n, 8n, 8n]);
    await teacher.close();
  });

  it('that is not ready, lacks a tensor or is not there at all is refused', async () => {
    const remote = (change: object) =>
      open({ name: 'x', members: [{ kind: 'open-inference', address: server.address, model: 'large', ...change }] });
    await expect(remote({ model: 'loading' })).rejects.toThrow(/loading at .* is not ready/);
    await expect(remote({ output: 'probs' })).rejects.toThrow(/no output "probs"; there are logits, features/);
    await expect(remote({ address: '127.0.0.1:1' })).rejects.toThrow(/large at 127\.0\.0\.1:1/);
  });
});

describe('a TensorFlow SavedModel as a teacher', () => {
  it('runs in a thread of its own', async () => {
    const model = models[0]!;
    const graph = new SavedModelGraph();
    const shape = [-1, SIZE, SIZE, 3];
    graph.placeholder('x', DataType.float32, shape);
    graph.constant('axes', DataType.int32, [2], Int32Array.of(1, 2));
    graph.node('Mean', 'pooled', ['x', 'axes'], {
      T: { type: DataType.float32 },
      Tidx: { type: DataType.int32 },
      keep_dims: { bool: false },
    });
    graph.constant('weights', DataType.float32, [3, 10], model.weights);
    graph.constant('bias', DataType.float32, [10], model.bias);
    const floats = { T: { type: DataType.float32 } };
    graph.node('MatMul', 'product', ['pooled', 'weights'], {
      ...floats,
      transpose_a: { bool: false },
      transpose_b: { bool: false },
    });
    graph.node('AddV2', 'logits', ['product', 'bias'], floats);
    const bytes = graph.finish(
      { x: { node: 'x', type: DataType.float32, shape } },
      { logits: { node: 'logits', type: DataType.float32, shape: [-1, 10] } },
    );
    const saved = await mkdtemp(path.join(folder, 'saved-'));
    await writeFile(path.join(saved, 'saved_model.pb'), bytes);
    const members = [{ kind: 'saved-model', folder: saved, features: 'pooled' }];
    const teacher = await open({ name: 'saved', members });
    expect([teacher.classes, teacher.featureSize]).toEqual([10, 3]);
    await expectProbabilities(teacher, (one) => softmax(colourLogits(model, one).logits), 4);
    await teacher.close();
  });

  it('that is none is refused', async () => {
    await expect(open({ name: 'x', members: [{ kind: 'saved-model', folder: '.' }] })).rejects.toThrow(
      'no saved_model.pb',
    );
  });
});
