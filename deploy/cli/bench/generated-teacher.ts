import { philox4x32 } from '../../../shared/random/philox.js';
import { OnnxGraph, OnnxType } from '../../../shared/tensor/onnx-model.js';

/** Pixels along an edge. */
const EDGE = 32;
/** Channels of the four stages relative to the first, and the blocks of each: ResNet-18. */
const STAGES = [1, 2, 4, 8];
const BLOCKS = 2;

export interface GeneratedTeacher {
  /** Content of an .onnx file: input "x" [N, 3, 32, 32], output "logits" [N, classes]. */
  readonly onnx: Uint8Array;
  /** Cost of an image; a multiply and an add count two. */
  readonly gflop: number;
  /** Channels of the first stage. */
  readonly channels: number;
}

/**
 * A large model for those who own none: a ResNet-18 (He et al., arXiv 1512.03385, in its form for small images, the
 * normalisations folded into the convolutions) with random weights. It knows nothing, and costs what a teacher costs.
 *
 * @param gflop what an image is to cost; the width that comes nearest is taken (64 channels, the usual ones, are 1.1)
 */
export function generatedTeacher(gflop: number, classes: number, seed: number): GeneratedTeacher {
  const miss = (channels: number) => Math.abs(build(channels, classes, () => {}) - gflop * 1e9);
  let channels = 1;
  while (miss(channels + 1) < miss(channels)) channels++;
  const graph = new OnnxGraph();
  const random = uniform(seed);
  const flop = build(channels, classes, ({ op, inputs, output, attributes, kernel }) => {
    if (!kernel) {
      graph.node(op, output, inputs, attributes);
      return;
    }
    const { shape, inputsOfOne } = kernel;
    // The variance of He et al., arXiv 1502.01852.
    const half = Math.sqrt(6 / inputsOfOne);
    const size = shape.reduce((a, b) => a * b, 1);
    const weights = Float32Array.from({ length: size }, () => half * (2 * random() - 1));
    const name = graph.constant(`${output}/weights`, OnnxType.float, shape, weights);
    graph.node(op, output, [...inputs, name], attributes);
  });
  const onnx = graph.finish(
    [{ name: 'x', type: OnnxType.float, shape: [-1, 3, EDGE, EDGE] }],
    [{ name: 'logits', type: OnnxType.float, shape: [-1, classes] }],
  );
  return { onnx, gflop: flop / 1e9, channels };
}

interface Operation {
  op: string;
  inputs: string[];
  output: string;
  attributes?: Record<string, number | number[]>;
  /** Weights that are its last input; each output value is a sum over `inputsOfOne` products. */
  kernel?: { shape: number[]; inputsOfOne: number };
}

/** A convolution between `from` and `to` channels, whose output has `edge` pixels along an edge. */
interface Convolution {
  from: number;
  to: number;
  edge: number;
  kernel: 1 | 3;
  stride: 1 | 2;
}

/** Tells the network's operations in order; returns its cost in FLOP an image. */
function build(base: number, classes: number, add: (operation: Operation) => void): number {
  let flop = 0;
  const convolve = (input: string, output: string, { from, to, edge, kernel, stride }: Convolution): string => {
    flop += 2 * kernel ** 2 * from * to * edge ** 2;
    const border = (kernel - 1) / 2;
    const attributes = { strides: [stride, stride], pads: [border, border, border, border] };
    const weights = { shape: [to, from, kernel, kernel], inputsOfOne: kernel ** 2 * from };
    add({ op: 'Conv', inputs: [input], output, attributes, kernel: weights });
    return output;
  };
  const apply = (op: string, inputs: string[], output: string): string => {
    add({ op, inputs, output });
    return output;
  };
  const stem: Convolution = { from: 3, to: base, edge: EDGE, kernel: 3, stride: 1 };
  let x = apply('Relu', [convolve('x', 'stem', stem)], 'stem/relu');
  let from = base;
  for (const [stage, wider] of STAGES.entries()) {
    const to = base * wider;
    const edge = EDGE >> stage;
    for (let block = 0; block < BLOCKS; block++) {
      const name = `${stage}/${block}`;
      const stride = block === 0 && stage > 0 ? 2 : 1;
      const first = convolve(x, `${name}/1`, { from, to, edge, kernel: 3, stride });
      const second = apply('Relu', [first], `${name}/1/relu`);
      const sum = [
        convolve(second, `${name}/2`, { from: to, to, edge, kernel: 3, stride: 1 }),
        stride === 2 ? convolve(x, `${name}/past`, { from, to, edge, kernel: 1, stride }) : x,
      ];
      x = apply('Relu', [apply('Add', sum, `${name}/sum`)], `${name}/2/relu`);
      from = to;
    }
  }
  add({
    op: 'Flatten',
    inputs: [apply('GlobalAveragePool', [x], 'pooled')],
    output: 'features',
    attributes: { axis: 1 },
  });
  flop += 2 * from * classes;
  add({ op: 'MatMul', inputs: ['features'], output: 'logits', kernel: { shape: [from, classes], inputsOfOne: from } });
  return flop;
}

/** Variates in [0, 1), a function of the seed. */
function uniform(seed: number): () => number {
  const words = new Uint32Array(4);
  let drawn = 0;
  return () => {
    if (drawn % 4 === 0) philox4x32(words, drawn / 4, 0, 0, 0, seed, 0);
    return words[drawn++ % 4]! / 2 ** 32;
  };
}
