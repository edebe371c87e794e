import { createHash } from 'node:crypto';
import { modelInput } from './preprocess.js';
import type { MemberSpec, TeacherSpec } from './spec.js';
import type { ModelBackend, ModelTensors, Teacher, TeacherAnswer } from './teacher.js';

interface Member {
  readonly spec: MemberSpec;
  readonly backend: ModelBackend;
}

export interface OpenTeacherOptions {
  /** Pixels of the images that it will be shown. */
  readonly width: number;
  readonly height: number;
  /** Threads of one model run. Default 1. */
  readonly threads?: number;
}

/**
 * Opens all members of a teacher and shows each of them one grey image, so that what does not fit is found at once.
 *
 * @throws Error with a sentence when a member cannot be opened, or members disagree about the number of classes
 */
export async function openTeacher(spec: TeacherSpec, options: OpenTeacherOptions): Promise<Teacher> {
  const members: Member[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(members.map(({ backend }) => backend.close()));
  };
  try {
    for (const member of spec.members) {
      members.push({ spec: member, backend: await openBackend(member, options.threads ?? 1) });
    }
    const probe = new Uint8Array(options.width * options.height * 3).fill(128);
    const sizes: { classes: number; features: number }[] = [];
    for (const member of members) {
      const { output, features } = await runMember(member, probe, 1, options);
      sizes.push({ classes: output.length, features: features?.length ?? 0 });
    }
    const [first] = sizes;
    const odd = sizes.findIndex(({ classes }) => classes !== first!.classes);
    if (odd >= 0) {
      throw new Error(
        `teacher ${spec.name}: ${labelOf(spec.members[odd]!)} gives ${sizes[odd]!.classes} classes, ${labelOf(spec.members[0]!)} ${first!.classes}`,
      );
    }
    const featured = sizes.findIndex(({ features }) => features > 0);
    return {
      name: spec.name,
      sha256: teacherSha256(members),
      classes: first!.classes,
      featureSize: featured < 0 ? 0 : sizes[featured]!.features,
      predict: (rgb, count) => predict(members, featured, first!.classes, rgb, count, options),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openBackend(spec: MemberSpec, threads: number): Promise<ModelBackend> {
  const tensors: ModelTensors = { input: spec.input, output: spec.output, features: spec.features };
  switch (spec.kind) {
    case 'onnx':
      return (await import('./onnx-backend.js')).openOnnx(spec.file, tensors, threads);
    case 'open-inference':
      return (await import('./open-inference-backend.js')).openModelServer(spec, tensors);
    case 'saved-model':
      return (await import('./saved-model-backend.js')).openSavedModel(spec.folder, tensors, threads);
  }
}

function runMember({ spec, backend }: Member, rgb: Uint8Array, count: number, size: OpenTeacherOptions) {
  const layout = spec.layout ?? (spec.kind === 'saved-model' ? 'nhwc' : 'nchw');
  const { input, shape } = modelInput(rgb, count, size, { size: spec.size, layout, mean: spec.mean, std: spec.std });
  return backend.run(input, shape);
}

/** The mean of the members' probabilities by weight, members one after the other: their order of adding is fixed. */
async function predict(
  members: readonly Member[],
  featured: number,
  classes: number,
  rgb: Uint8Array,
  count: number,
  size: OpenTeacherOptions,
): Promise<TeacherAnswer> {
  const mean = new Float64Array(count * classes);
  const total = members.reduce((sum, { spec }) => sum + spec.weight, 0);
  let features: Float32Array | undefined;
  for (const [i, member] of members.entries()) {
    const answer = await runMember(member, rgb, count, size);
    if (answer.output.length !== count * classes) {
      throw new Error(
        `${labelOf(member.spec)} gave ${answer.output.length} values for ${count} images of ${classes} classes`,
      );
    }
    if (i === featured) features = answer.features;
    addProbabilities(answer.output, classes, member.spec, member.spec.weight / total, mean);
  }
  return { probabilities: Float32Array.from(mean), ...(features && { features }) };
}

/** Adds weight x softmax(logits / temperature), or weight x probabilities, row by row. */
function addProbabilities(
  output: Float32Array,
  classes: number,
  { gives, temperature }: Pick<MemberSpec, 'gives' | 'temperature'>,
  weight: number,
  mean: Float64Array,
): void {
  const row = new Float64Array(classes);
  for (let from = 0; from < output.length; from += classes) {
    let sum = 0;
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) largest = Math.max(largest, output[from + c]!);
    for (let c = 0; c < classes; c++) {
      const value = output[from + c]!;
      row[c] = gives === 'logits' ? Math.exp((value - largest) / temperature) : value ** (1 / temperature);
      sum += row[c]!;
    }
    for (let c = 0; c < classes; c++) mean[from + c]! += (weight * row[c]!) / sum;
  }
}

/** Over the members' models and all that turns pixels into probabilities; not over paths, addresses or threads. */
function teacherSha256(members: readonly Member[]): string {
  const all = members.map(({ spec, backend }) => {
    const { input, output, features, size, layout, mean, std, gives, temperature, weight } = spec;
    return { model: backend.sha256, input, output, features, size, layout, mean, std, gives, temperature, weight };
  });
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}

function labelOf(spec: MemberSpec): string {
  if (spec.kind === 'onnx') return spec.file;
  return spec.kind === 'saved-model' ? spec.folder : `${spec.model} at ${spec.address}`;
}
