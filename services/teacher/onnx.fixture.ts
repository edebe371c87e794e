/** A tiny ONNX model of our own, written from scratch: the mean of every channel, times a matrix, plus a bias. */
import { writeFile } from 'node:fs/promises';
import { OnnxGraph, OnnxType } from '../../shared/tensor/onnx-model.js';

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
  const graph = new OnnxGraph();
  const pooled = graph.node('GlobalAveragePool', 'pooled', ['x']);
  const features = graph.node('Flatten', 'features', [pooled], { axis: 1 });
  const product = graph.node('MatMul', 'product', [
    features,
    graph.constant('weights', OnnxType.float, [3, classes], weights),
  ]);
  graph.node('Add', 'logits', [product, graph.constant('bias', OnnxType.float, [classes], bias)]);
  const port = (name: string, shape: number[]) => ({ name, type: OnnxType.float, shape });
  const outputs = [port('logits', [-1, classes]), port('features', [-1, 3])];
  await writeFile(file, graph.finish([port('x', [-1, 3, size, size])], outputs));
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
