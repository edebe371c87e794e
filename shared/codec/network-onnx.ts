import { OnnxGraph, type OnnxPort, OnnxType } from '../tensor/onnx-model.js';
import { classScores, imageFeatures, type NetworkOps, type NetworkSpec, symbolsOf } from './network.js';
import { PORTS } from './network-graph.js';
import { foldNorm, type Weights, weight } from './weights.js';

/**
 * A value of the graph and its shape without the batch, as `network.ts` means it. An image [H, W, C] lies as [C, H, W],
 * which is what ONNX Runtime's convolutions want.
 */
interface Value {
  node: string;
  shape: number[];
}

/** Rank, without the batch, of the values that lie channels first. */
const IMAGE = 3;

/** Interprets a network into an ONNX graph, batch normalisation folded. */
class OnnxOps implements NetworkOps<Value> {
  readonly #graph: OnnxGraph;
  readonly #weights: Weights;
  #unnamed = 0;

  constructor(graph: OnnxGraph, weights: Weights) {
    this.#graph = graph;
    this.#weights = weights;
  }

  convNorm(x: Value, name: string, s: { filters: number; kernel: number; stride: number }): Value {
    const [h, w, c] = x.shape as [number, number, number];
    const part = (what: string) => weight(this.#weights, `${name}/${what}`, [s.filters]);
    const { kernel, bias } = foldNorm(weight(this.#weights, `${name}/kernel`, [s.kernel, s.kernel, c, s.filters]), {
      scale: part('scale'),
      offset: part('offset'),
      mean: part('mean'),
      variance: part('variance'),
    });
    const [top, bottom] = samePadding(h, s.kernel, s.stride);
    const [left, right] = samePadding(w, s.kernel, s.stride);
    const inputs = [
      x.node,
      this.#float(`${name}/kernel`, [s.filters, c, s.kernel, s.kernel], filtersFirst(kernel, s.kernel, c, s.filters)),
      this.#float(`${name}/bias`, [s.filters], bias),
    ];
    const node = this.#graph.node('Conv', name, inputs, {
      kernel_shape: [s.kernel, s.kernel],
      strides: [s.stride, s.stride],
      pads: [top, left, bottom, right],
    });
    return { node, shape: [Math.ceil(h / s.stride), Math.ceil(w / s.stride), s.filters] };
  }

  dense(x: Value, name: string, units: number): Value {
    const shape = [x.shape[0]!, units];
    const kernel = this.#float(`${name}/kernel`, shape, weight(this.#weights, `${name}/kernel`, shape));
    const bias = this.#float(`${name}/bias`, [units], weight(this.#weights, `${name}/bias`, [units]));
    return { node: this.#graph.node('Gemm', name, [x.node, kernel, bias]), shape: [units] };
  }

  relu = (x: Value) => this.#op('Relu', [x], x.shape);
  sigmoid = (x: Value) => this.#op('Sigmoid', [x], x.shape);
  log = (x: Value) => this.#op('Log', [x], x.shape);
  sqrt = (x: Value) => this.#op('Sqrt', [x], x.shape);
  rsqrt = (x: Value) => this.#op('Reciprocal', [this.sqrt(x)], x.shape);
  add = (a: Value, b: Value) => this.#binary('Add', a, b);
  mul = (a: Value, b: Value) => this.#binary('Mul', a, b);

  affine(x: Value, a: number, b: number): Value {
    const scaled = a === 1 ? x : this.mul(x, this.#scalar(a));
    return this.add(scaled, this.#scalar(b));
  }

  clip(x: Value, low: number, high: number): Value {
    return this.#op('Clip', [x, this.#scalar(low), this.#scalar(high)], x.shape);
  }

  sum(x: Value, axes: number[]): Value {
    const shape = x.shape.map((n, i) => (axes.includes(i + 1) ? 1 : n));
    const lying = x.shape.length === IMAGE ? axes.map((axis) => [0, 2, 3, 1][axis]!) : axes;
    const node = this.#graph.node('ReduceSum', this.#name('sum'), [x.node, this.#ints(lying)], { keepdims: 1 });
    return { node, shape };
  }

  globalAverage(x: Value): Value {
    const pooled = this.#graph.node('GlobalAveragePool', this.#name('pooled'), [x.node]);
    return { node: this.#graph.node('Flatten', this.#name('average'), [pooled], { axis: 1 }), shape: [x.shape[2]!] };
  }

  concat(xs: Value[]): Value {
    if (xs.some((x) => x.shape.length > 1)) throw new Error('the ONNX graph joins vectors only');
    const nodes = xs.map((x) => x.node);
    const shape = [xs.reduce((sum, x) => sum + x.shape[0]!, 0)];
    return { node: this.#graph.node('Concat', this.#name('concat'), nodes, { axis: 1 }), shape };
  }

  reshape(x: Value, shape: number[]): Value {
    let { node } = x;
    if (x.shape.length === IMAGE) node = this.#transpose(node, [0, 2, 3, 1]);
    node = this.#graph.node('Reshape', this.#name('reshape'), [node, this.#ints([-1, ...shape])]);
    if (shape.length === IMAGE) node = this.#transpose(node, [0, 3, 1, 2]);
    return { node, shape };
  }

  prefixMask(count: Value, length: number): Value {
    const values = Float32Array.from({ length }, (_, i) => i);
    const indices = this.#float(this.#name('indices'), [1, length], values);
    const less = this.#graph.node('Less', this.#name('less'), [indices, count.node]);
    return { node: this.#graph.node('Cast', this.#name('mask'), [less], { to: OnnxType.float }), shape: [length] };
  }

  /** Pixels as bytes, rows of R, G, B, to an image of numbers. */
  pixels(port: string, shape: number[]): Value {
    const planes = this.#transpose(port, [0, 3, 1, 2]);
    return { node: this.#graph.node('Cast', 'pixels', [planes], { to: OnnxType.float }), shape };
  }

  #binary(op: string, a: Value, b: Value): Value {
    const ranks = [a.shape.length, b.shape.length].toSorted((x, y) => x - y);
    // Channels first, a vector would meet the wrong dimension of an image.
    if (ranks[1] === IMAGE && ranks[0] !== IMAGE && ranks[0] !== 0) {
      throw new Error(`${op} of shapes [${a.shape}] and [${b.shape}]: reshape the smaller to three dimensions`);
    }
    return this.#op(op, [a, b], broadcast(a.shape, b.shape));
  }

  #op(op: string, xs: Value[], shape: number[]): Value {
    const nodes = xs.map((x) => x.node);
    return { node: this.#graph.node(op, this.#name(op.toLowerCase()), nodes), shape };
  }

  #transpose = (node: string, perm: number[]) =>
    this.#graph.node('Transpose', this.#name('transpose'), [node], { perm });

  #float = (name: string, shape: number[], data: Float32Array) =>
    this.#graph.constant(name, OnnxType.float, shape, data);

  #scalar = (value: number): Value => ({
    node: this.#float(this.#name('scalar'), [], Float32Array.of(value)),
    shape: [],
  });

  #ints = (values: number[]) =>
    this.#graph.constant(this.#name('ints'), OnnxType.int64, [values.length], BigInt64Array.from(values, BigInt));

  #name = (kind: string) => `${kind}_${this.#unnamed++}`;
}

/** What SAME means: ceil(size / stride) outputs, an odd zero at the end. */
function samePadding(size: number, kernel: number, stride: number): [before: number, after: number] {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** [kernel, kernel, inputs, filters] to [filters, inputs, kernel, kernel]. */
function filtersFirst(kernel: Float32Array, size: number, inputs: number, filters: number): Float32Array {
  const out = new Float32Array(kernel.length);
  const places = size * size;
  for (let place = 0, from = 0; place < places; place++) {
    for (let input = 0; input < inputs; input++) {
      for (let filter = 0; filter < filters; filter++)
        out[(filter * inputs + input) * places + place] = kernel[from++]!;
    }
  }
  return out;
}

/** Shape of a binary operation that broadcasts, both without the batch dimension. */
function broadcast(a: number[], b: number[]): number[] {
  const length = Math.max(a.length, b.length);
  const at = (shape: number[], i: number) => shape[i - (length - shape.length)] ?? 1;
  return Array.from({ length }, (_, i) => Math.max(at(a, i), at(b, i)));
}

const column = (name: string): OnnxPort => ({ name, type: OnnxType.float, shape: [-1, 1] });

/**
 * The encoder of `encoderGraph` (network-graph.ts) as an ONNX model, with the same ports and the same numbers but for
 * rounding.
 */
export function encoderOnnx(spec: NetworkSpec, weights: Weights): Uint8Array {
  const graph = new OnnxGraph();
  const ops = new OnnxOps(graph, weights);
  const { rgb, snrDb, channelUses, symbols } = PORTS.encoder;
  const size = [spec.height, spec.width, 3];
  const features = imageFeatures(ops, spec, ops.pixels(rgb, size));
  const out = symbolsOf(ops, spec, features, { node: snrDb, shape: [1] }, { node: channelUses, shape: [1] });
  graph.node('Identity', symbols, [out.node]);
  return graph.finish(
    [{ name: rgb, type: OnnxType.uint8, shape: [-1, ...size] }, column(snrDb), column(channelUses)],
    [{ name: symbols, type: OnnxType.float, shape: [-1, spec.maxChannelUses, 2] }],
  );
}

/** The decoder of `decoderGraph` (network-graph.ts) as an ONNX model. */
export function decoderOnnx(spec: NetworkSpec, weights: Weights): Uint8Array {
  const graph = new OnnxGraph();
  const ops = new OnnxOps(graph, weights);
  const { symbols, snrDb, channelUses, probabilities } = PORTS.decoder;
  const shape = [spec.maxChannelUses, 2];
  const scores = classScores(
    ops,
    spec,
    { node: symbols, shape },
    { node: snrDb, shape: [1] },
    { node: channelUses, shape: [1] },
  );
  graph.node('Softmax', probabilities, [scores.node], { axis: -1 });
  return graph.finish(
    [{ name: symbols, type: OnnxType.float, shape: [-1, ...shape] }, column(snrDb), column(channelUses)],
    [{ name: probabilities, type: OnnxType.float, shape: [-1, spec.classes] }],
  );
}
