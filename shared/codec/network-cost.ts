import { classScores, imageFeatures, type NetworkOps, type NetworkSpec, symbolsOf } from './network.js';

/** What one image costs. A multiply and an add count as two; batch normalisation counts as the bias it is folded to. */
export interface NetworkCost {
  /** Trained numbers of the served (folded) network. */
  parameters: number;
  /** Floating-point operations for one image. */
  flop: number;
}

/** Interprets a network over shapes (without the batch dimension) and adds up what each operation costs. */
class CostOps implements NetworkOps<number[]> {
  readonly cost: NetworkCost = { parameters: 0, flop: 0 };

  convNorm(x: number[], _name: string, s: { filters: number; kernel: number; stride: number }): number[] {
    const [h, w, c] = x as [number, number, number];
    const out = [Math.ceil(h / s.stride), Math.ceil(w / s.stride), s.filters];
    const weights = s.kernel * s.kernel * c * s.filters;
    this.cost.parameters += weights + s.filters;
    this.cost.flop += out[0]! * out[1]! * (2 * weights + s.filters);
    return out;
  }

  dense(x: number[], _name: string, units: number): number[] {
    this.cost.parameters += (x[0]! + 1) * units;
    this.cost.flop += (2 * x[0]! + 1) * units;
    return [units];
  }

  relu = (x: number[]) => this.#each(x);
  sigmoid = (x: number[]) => this.#each(x, 4);
  add = (a: number[], b: number[]) => this.#each(a.length >= b.length ? a : b);
  mul = (a: number[], b: number[]) => this.#each(a.length > b.length || size(a) > size(b) ? a : b);
  affine = (x: number[]) => this.#each(x, 2);
  clip = (x: number[]) => this.#each(x, 2);
  log = (x: number[]) => this.#each(x);
  sqrt = (x: number[]) => this.#each(x);
  rsqrt = (x: number[]) => this.#each(x);
  prefixMask = (_count: number[], length: number) => this.#each([length]);
  concat = (xs: number[][]) => [xs.reduce((sum, x) => sum + x[0]!, 0)];
  reshape = (_x: number[], shape: number[]) => shape;

  sum(x: number[], axes: number[]): number[] {
    this.cost.flop += size(x);
    return x.map((n, i) => (axes.includes(i + 1) ? 1 : n));
  }

  globalAverage(x: number[]): number[] {
    this.cost.flop += size(x);
    return [x[2]!];
  }

  #each(x: number[], operations = 1): number[] {
    this.cost.flop += operations * size(x);
    return x;
  }
}

const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** Cost of the encoder: image to symbols. */
export function encoderCost(spec: NetworkSpec): NetworkCost {
  const ops = new CostOps();
  symbolsOf(ops, spec, imageFeatures(ops, spec, [spec.height, spec.width, 3]), [1], [1]);
  return ops.cost;
}

/** Cost of the decoder: equalised symbols to class scores. */
export function decoderCost(spec: NetworkSpec): NetworkCost {
  const ops = new CostOps();
  classScores(ops, spec, [spec.maxChannelUses, 2], [1], [1]);
  return ops.cost;
}
