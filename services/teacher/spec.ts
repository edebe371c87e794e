import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/** What every member of a teacher says about itself, whatever runs it. */
const memberFields = {
  /** Name of the model's input tensor. */
  input: z.string().min(1).default('x'),
  /** Name of the output with one value a class. */
  output: z.string().min(1).default('logits'),
  /** Name of the output with the feature, where it is to be stored. */
  features: z.string().min(1).optional(),
  /** Pixels along both edges of what the model wants; images are resized to it. Default: as they are. */
  size: z.int().min(1).max(4096).optional(),
  /** Order of the input's dimensions after the batch. */
  layout: z.enum(['nchw', 'nhwc']).optional(),
  /** x = (pixel / 255 - mean) / std, for R, G, B. */
  mean: perChannel.default([0, 0, 0]),
  std: perChannel.refine((std) => std.every((s) => s > 0), 'must be above 0').default([1, 1, 1]),
  /** Whether the output still has to go through a softmax. */
  gives: z.enum(['logits', 'probabilities']).default('logits'),
  /** Of that softmax; above 1 softens. */
  temperature: z.number().positive().default(1),
  /** Share of this member, relative to the others. */
  weight: z.number().positive().default(1),
};

const memberSpec = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('onnx'),
    /** Path, relative to the JSON file. */
    file: z.string().min(1),
    ...memberFields,
  }),
  z.strictObject({
    kind: z.literal('open-inference'),
    /** host:port of a server that speaks the Open Inference Protocol over gRPC. */
    address: z.string().min(1),
    model: z.string().min(1),
    version: z.string().default(''),
    ...memberFields,
  }),
  z.strictObject({
    kind: z.literal('saved-model'),
    /** Folder with saved_model.pb, relative to the JSON file. Tensors are named as operations of its graph. */
    folder: z.string().min(1),
    ...memberFields,
  }),
]);

const teacherSpec = z.strictObject({
  name: z.string().min(1).max(200),
  /** Most images of one call. */
  batch: z.int().min(1).max(4096).default(50),
  /** The mean of their probabilities, by weight, is the teacher's. The first one with a feature gives the feature. */
  members: z.array(memberSpec).min(1).max(64),
});

export type MemberSpec = z.output<typeof memberSpec>;
export type TeacherSpec = z.output<typeof teacherSpec>;

/** The forms in which a teacher can be named, for `--help`. */
export const TEACHER_FORMS =
  'a JSON file that describes one model or several, an .onnx file, a folder with a SavedModel, or grpc://HOST:PORT/MODEL[/VERSION] for a model server that speaks the Open Inference Protocol; without JSON a model takes pixels / 255 in its input "x" and gives "logits"';

/**
 * Reads what `--teacher` names. Relative paths in a JSON file are relative to it; in the result all are absolute.
 *
 * @throws Error with a sentence when there is no such file or it does not describe a teacher
 */
export async function readTeacherSpec(text: string): Promise<TeacherSpec> {
  const remote = /^grpc:\/\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(text);
  if (remote) {
    const [, address, model, version] = remote;
    return parse({ name: model, members: [{ kind: 'open-inference', address, model, version: version ?? '' }] }, text);
  }
  const file = path.resolve(text);
  const found = await stat(file).catch((cause: unknown) => {
    throw new Error(`--teacher ${text}: there is no such file or folder; use ${TEACHER_FORMS}`, { cause });
  });
  const name = path.basename(file, path.extname(file));
  if (found.isDirectory()) return parse({ name, members: [{ kind: 'saved-model', folder: file }] }, text);
  if (file.endsWith('.onnx')) return parse({ name, members: [{ kind: 'onnx', file }] }, text);
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new Error(`--teacher ${text} is neither JSON nor an .onnx file; use ${TEACHER_FORMS}`, { cause });
  }
  const spec = parse(content, text);
  const absolute = (relative: string): string => path.resolve(path.dirname(file), relative);
  for (const member of spec.members) {
    if (member.kind === 'onnx') member.file = absolute(member.file);
    if (member.kind === 'saved-model') member.folder = absolute(member.folder);
  }
  return spec;
}

function parse(content: unknown, text: string): TeacherSpec {
  const result = teacherSpec.safeParse(content);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: at, message }) => `${at.join('.') || 'all of it'}: ${message}`);
  throw new Error(`--teacher ${text} does not describe a teacher: ${problems.join('; ')}`);
}
