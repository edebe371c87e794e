import { DataType, SavedModelGraph } from '../tensor/saved-model.js';
import { classScores, imageFeatures, type NetworkOps, type NetworkSpec, symbolsOf } from './network.js';
import { foldNorm, type Weights, weight } from './weights.js';

const FLOAT = { type: DataType.float32 } as const;

/** A value of the graph: its node and its shape without the batch dimension. */
interface Value {
  node: string;
  shape: number[];
}

/** Interprets a network into a frozen TensorFlow graph, batch normalisation folded. */
class GraphOps implements NetworkOps<Value> {
  readonly #graph: SavedModelGraph;
  readonly #weights: Weights;
  #unnamed = 0;

  constructor(graph: SavedModelGraph, weights: Weights) {
    this.#graph = graph;
    this.#weights = weights;
  }

  convNorm(x: Value, name: string, s: { filters: number; kernel: number; stride: number }): Value {
    const [h, w, c] = x.shape as [number, number, number];
    const shape = [s.kernel, s.kernel, c, s.filters];
    const part = (what: string) => weight(this.#weights, `${name}/${what}`, [s.filters]);
    const { kernel, bias } = foldNorm(weight(this.#weights, `${name}/kernel`, shape), {
      scale: part('scale'),
      offset: part('offset'),
      mean: part('mean'),
      variance: part('variance'),
    });
    const node = this.#graph.node('Conv2D', name, [x.node, this.#float(`${name}/kernel`, shape, kernel)], {
      T: FLOAT,
      strides: { ints: [1, s.stride, s.stride, 1] },
      dilations: { ints: [1, 1, 1, 1] },
      padding: { string: 'SAME' },
      data_format: { string: 'NHWC' },
    });
    return { node: this.#bias(node, name, bias), shape: [Math.ceil(h / s.stride), Math.ceil(w / s.stride), s.filters] };
  }

  dense(x: Value, name: string, units: number): Value {
    const shape = [x.shape[0]!, units];
    const kernel = this.#float(`${name}/kernel`, shape, weight(this.#weights, `${name}/kernel`, shape));
    const node = this.#graph.node('MatMul', name, [x.node, kernel], {
      T: FLOAT,
      transpose_a: { bool: false },
      transpose_b: { bool: false },
    });
    return { node: this.#bias(node, name, weight(this.#weights, `${name}/bias`, [units])), shape: [units] };
  }

  relu = (x: Value) => this.#op('Relu', [x], x.shape);
  sigmoid = (x: Value) => this.#op('Sigmoid', [x], x.shape);
  log = (x: Value) => this.#op('Log', [x], x.shape);
  sqrt = (x: Value) => this.#op('Sqrt', [x], x.shape);
  rsqrt = (x: Value) => this.#op('Rsqrt', [x], x.shape);
  add = (a: Value, b: Value) => this.#op('AddV2', [a, b], broadcast(a.shape, b.shape));
  mul = (a: Value, b: Value) => this.#op('Mul', [a, b], broadcast(a.shape, b.shape));

  affine(x: Value, a: number, b: number): Value {
    const scaled = a === 1 ? x : this.mul(x, this.#scalar(a));
    return this.add(scaled, this.#scalar(b));
  }

  clip(x: Value, low: number, high: number): Value {
    const capped = this.#op('Minimum', [x, this.#scalar(high)], x.shape);
    return this.#op('Maximum', [capped, this.#scalar(low)], x.shape);
  }

  sum(x: Value, axes: number[]): Value {
    const shape = x.shape.map((n, i) => (axes.includes(i + 1) ? 1 : n));
    return this.#reduce('Sum', x, axes, shape, true);
  }

  globalAverage(x: Value): Value {
    return this.#reduce('Mean', x, [1, 2], [x.shape[2]!], false);
  }

  concat(xs: Value[]): Value {
    const nodes = [...xs.map((x) => x.node), this.#ints([1], true)];
    const node = this.#graph.node('ConcatV2', this.#name('concat'), nodes, {
      T: FLOAT,
      N: { int: xs.length },
      Tidx: { type: DataType.int32 },
    });
    return { node, shape: [xs.reduce((sum, x) => sum + x.shape[0]!, 0)] };
  }

  reshape(x: Value, shape: number[]): Value {
    const node = this.#graph.node('Reshape', this.#name('reshape'), [x.node, this.#ints([-1, ...shape])], {
      T: FLOAT,
      Tshape: { type: DataType.int32 },
    });
    return { node, shape };
  }

  prefixMask(count: Value, length: number): Value {
    const indices = this.#float(
      this.#name('indices'),
      [1, length],
      Float32Array.from({ length }, (_, i) => i),
    );
    const less = this.#graph.node('Less', this.#name('less'), [indices, count.node], { T: FLOAT });
    const node = this.#graph.node('Cast', this.#name('mask'), [less], {
      SrcT: { type: DataType.bool },
      DstT: FLOAT,
      Truncate: { bool: false },
    });
    return { node, shape: [length] };
  }

  #reduce(op: string, x: Value, axes: number[], shape: number[], keep: boolean): Value {
    const node = this.#graph.node(op, this.#name(op.toLowerCase()), [x.node, this.#ints(axes)], {
      T: FLOAT,
      Tidx: { type: DataType.int32 },
      keep_dims: { bool: keep },
    });
    return { node, shape };
  }

  #op(op: string, xs: Value[], shape: number[]): Value {
    const nodes = xs.map((x) => x.node);
    return { node: this.#graph.node(op, this.#name(op.toLowerCase()), nodes, { T: FLOAT }), shape };
  }

  #bias(node: string, name: string, bias: Float32Array): string {
    const value = this.#float(`${name}/bias`, [bias.length], bias);
    return this.#graph.node('BiasAdd', `${name}/biased`, [node, value], { T: FLOAT, data_format: { string: 'NHWC' } });
  }

  #float = (name: string, shape: number[], data: Float32Array) =>
    this.#graph.constant(name, DataType.float32, shape, data);

  #scalar = (value: number): Value => ({
    node: this.#float(this.#name('scalar'), [], Float32Array.of(value)),
    shape: [],
  });

  #ints = (values: number[], scalar = false) =>
    this.#graph.constant(this.#name('ints'), DataType.int32, scalar ? [] : [values.length], Int32Array.from(values));

  #name = (kind: string) => `${kind}_${this.#unnamed++}`;
}

/** Shape of a binary operation that broadcasts, both without the batch dimension. */
function broadcast(a: number[], b: number[]): number[] {
  const length = Math.max(a.length, b.length);
  const at = (shape: number[], i: number) => shape[i - (length - shape.length)] ?? 1;
  return Array.from({ length }, (_, i) => Math.max(at(a, i), at(b, i)));
}

/** Names of the ports of the two served graphs. */
export const PORTS = {
  encoder: { rgb: 'rgb', snrDb: 'snr_db', channelUses: 'channel_uses', symbols: 'symbols' },
  decoder: { symbols: 'symbols', snrDb: 'snr_db', channelUses: 'channel_uses', probabilities: 'probabilities' },
} as const;

/**
 * Where the frozen encoder's image ends and the channel begins: the node of the features, and their shape [features].
 * What follows it depends on SNR and k, what goes before it does not.
 */
export function encoderFeaturesNode(spec: NetworkSpec, weights: Weights): { node: string; shape: number[] } {
  const graph = new SavedModelGraph();
  const pixels = graph.placeholder('pixels', DataType.float32, [-1, spec.height, spec.width, 3]);
  return imageFeatures(new GraphOps(graph, weights), spec, { node: pixels, shape: [spec.height, spec.width, 3] });
}

/**
 * Frozen encoder: `rgb` uint8 [N, H, W, 3], `snr_db` [N, 1], `channel_uses` [N, 1] to `symbols`
 * [N, maxChannelUses, 2], unit average power per image over its first k symbols, zero behind them.
 *
 * @returns content of `saved_model.pb`
 */
export function encoderGraph(spec: NetworkSpec, weights: Weights): Uint8Array {
  const graph = new SavedModelGraph();
  const ops = new GraphOps(graph, weights);
  const { rgb, snrDb, channelUses, symbols } = PORTS.encoder;
  const size = [spec.height, spec.width, 3];
  const image = graph.placeholder(rgb, DataType.uint8, [-1, ...size]);
  const pixels = graph.node('Cast', 'pixels', [image], {
    SrcT: { type: DataType.uint8 },
    DstT: FLOAT,
    Truncate: { bool: false },
  });
  const column = (name: string) => ({ node: graph.placeholder(name, DataType.float32, [-1, 1]), shape: [1] });
  const features = imageFeatures(ops, spec, { node: pixels, shape: size });
  const out = symbolsOf(ops, spec, features, column(snrDb), column(channelUses));
  graph.node('Identity', symbols, [out.node], { T: FLOAT });
  return graph.finish(
    {
      [rgb]: { node: rgb, type: DataType.uint8, shape: [-1, ...size] },
      [snrDb]: { node: snrDb, type: DataType.float32, shape: [-1, 1] },
      [channelUses]: { node: channelUses, type: DataType.float32, shape: [-1, 1] },
    },
    { [symbols]: { node: symbols, type: DataType.float32, shape: [-1, spec.maxChannelUses, 2] } },
  );
}

/**
 * Frozen decoder: `symbols` [N, maxChannelUses, 2] behind the equaliser, `snr_db` [N, 1], `channel_uses` [N, 1] to
 * `probabilities` [N, classes].
 *
 * @returns content of `saved_model.pb`
 */
export function decoderGraph(spec: NetworkSpec, weights: Weights): Uint8Array {
  const graph = new SavedModelGraph();
  const ops = new GraphOps(graph, weights);
  const { symbols, snrDb, channelUses, probabilities } = PORTS.decoder;
  const shape = [spec.maxChannelUses, 2];
  const received = { node: graph.placeholder(symbols, DataType.float32, [-1, ...shape]), shape };
  const column = (name: string) => ({ node: graph.placeholder(name, DataType.float32, [-1, 1]), shape: [1] });
  const scores = classScores(ops, spec, received, column(snrDb), column(channelUses));
  graph.node('Softmax', probabilities, [scores.node], { T: FLOAT });
  return graph.finish(
    {
      [symbols]: { node: symbols, type: DataType.float32, shape: [-1, ...shape] },
      [snrDb]: { node: snrDb, type: DataType.float32, shape: [-1, 1] },
      [channelUses]: { node: channelUses, type: DataType.float32, shape: [-1, 1] },
    },
    { [probabilities]: { node: probabilities, type: DataType.float32, shape: [-1, spec.classes] } },
  );
}
