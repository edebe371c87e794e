/** A tiny ONNX model of our own, written from scratch: the mean of every channel, times a matrix, plus a bias. */
import { writeFile } from 'node:fs/promises';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Field numbers and enum values are those of onnx.proto. */
const FLOAT = 1;
const OPSET = 13;
const IR_VERSION = 8;

type Attribute = { name: string; ints: number[] } | { name: string; int: number };

function message(write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
}

function node(op: string, inputs: string[], outputs: string[], attributes: Attribute[] = []): Uint8Array {
  return message((w) => {
    for (const input of inputs) w.tag(1, WireType.LengthDelimited).string(input);
    for (const output of outputs) w.tag(2, WireType.LengthDelimited).string(output);
    w.tag(4, WireType.LengthDelimited).string(op);
    for (const attribute of attributes) {
      const bytes = message((a) => {
        a.tag(1, WireType.LengthDelimited).string(attribute.name);
        if ('int' in attribute) a.tag(3, WireType.Varint).int64(attribute.int);
        else for (const int of attribute.ints) a.tag(8, WireType.Varint).int64(int);
        a.tag(20, WireType.Varint).int32('int' in attribute ? 2 : 7);
      });
      w.tag(5, WireType.LengthDelimited).bytes(bytes);
    }
  });
}

function tensor(name: string, dims: number[], values: Float32Array): Uint8Array {
  return message((w) => {
    for (const dim of dims) w.tag(1, WireType.Varint).int64(dim);
    w.tag(2, WireType.Varint).int32(FLOAT);
    w.tag(8, WireType.LengthDelimited).string(name);
    w.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  });
}

function valueInfo(name: string, dims: (number | string)[]): Uint8Array {
  const shape = message((w) => {
    for (const dim of dims) {
      const bytes = message((d) => {
        if (typeof dim === 'string') d.tag(2, WireType.LengthDelimited).string(dim);
        else d.tag(1, WireType.Varint).int64(dim);
      });
      w.tag(1, WireType.LengthDelimited).bytes(bytes);
    }
  });
  const tensorType = message((w) =>
    w.tag(1, WireType.Varint).int32(FLOAT).tag(2, WireType.LengthDelimited).bytes(shape),
  );
  const type = message((w) => w.tag(1, WireType.LengthDelimited).bytes(tensorType));
  return message((w) => w.tag(1, WireType.LengthDelimited).string(name).tag(2, WireType.LengthDelimited).bytes(type));
}

/** logits = mean over pixels (x) W + b, and the means themselves as "features". */
export interface ColourModel {
  /** Pixels along both edges. */
  size: number;
  /** 3 x classes, row-major. */
  weights: Float32Array;
  /** classes. */
  bias: Float32Array;
}

/** Writes the model: input "x" [N, 3, size, size], outputs "logits" [N, classes] and "features" [N, 3]. */
export async function writeColourModel(file: string, { size, weights, bias }: ColourModel): Promise<void> {
  const classes = bias.length;
  const nodes = [
    node('GlobalAveragePool', ['x'], ['pooled']),
    node('Flatten', ['pooled'], ['features'], [{ name: 'axis', int: 1 }]),
    node('MatMul', ['features', 'weights'], ['product']),
    node('Add', ['product', 'bias'], ['logits']),
  ];
  const graph = message((w) => {
    for (const one of nodes) w.tag(1, WireType.LengthDelimited).bytes(one);
    w.tag(2, WireType.LengthDelimited).string('colours');
    w.tag(5, WireType.LengthDelimited).bytes(tensor('weights', [3, classes], weights));
    w.tag(5, WireType.LengthDelimited).bytes(tensor('bias', [classes], bias));
    w.tag(11, WireType.LengthDelimited).bytes(valueInfo('x', ['N', 3, size, size]));
    w.tag(12, WireType.LengthDelimited).bytes(valueInfo('logits', ['N', classes]));
    w.tag(12, WireType.LengthDelimited).bytes(valueInfo('features', ['N', 3]));
  });
  const opset = message((w) => w.tag(1, WireType.LengthDelimited).string('').tag(2, WireType.Varint).int64(OPSET));
  const model = message((w) => {
    w.tag(1, WireType.Varint).int64(IR_VERSION);
    w.tag(7, WireType.LengthDelimited).bytes(graph);
    w.tag(8, WireType.LengthDelimited).bytes(opset);
  });
  await writeFile(file, model);
}

/** Made-up weights of a model: a function of `seed`. */
export function colourModel(seed: number, size = 8, classes = 10): ColourModel {
  const value = (i: number): number => 4 * Math.sin(seed * 17.3 + i * 5.1);
  return {
    size,
    weights: Float32Array.from({ length: 3 * classes }, (_, i) => value(i)),
    bias: Float32Array.from({ length: classes }, (_, i) => 0.2 * value(100 + i)),
  };
}

/** What the model gives for one image, in double precision: logits and features. */
export function colourLogits(
  { weights, bias }: ColourModel,
  rgb: Uint8Array,
  mean = [0, 0, 0],
  std = [1, 1, 1],
): { logits: number[]; features: number[] } {
  const pixels = rgb.length / 3;
  const features = [0, 1, 2].map((c) => {
    let sum = 0;
    for (let i = c; i < rgb.length; i += 3) sum += (rgb[i]! / 255 - mean[c]!) / std[c]!;
    return sum / pixels;
  });
  const classes = bias.length;
  const logits = Array.from({ length: classes }, (_, k) =>
    features.reduce((sum, feature, c) => sum + feature * weights[c * classes + k]!, bias[k]!),
  );
  return { logits, features };
}

export function softmax(logits: number[], temperature = 1): number[] {
  const largest = Math.max(...logits);
  const raw = logits.map((z) => Math.exp((z - largest) / temperature));
  const sum = raw.reduce((total, one) => total + one, 0);
  return raw.map((one) => one / sum);
}
