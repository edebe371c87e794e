import {
  classScores,
  imageFeatures,
  type NetworkOps,
  type NetworkSpec,
  symbolsOf,
} from '../../../shared/codec/network.js';

/** One operation on earlier values: the i-th operation of a program makes value i. */
export interface ProgramStep {
  /**
   * A name of `NetworkOps`; `input`, a value of the batch; `draws`, an image's features once for each channel it is sent
   * over; or `air`, the channel between the two networks.
   */
  readonly op: keyof NetworkOps<number> | 'input' | 'draws' | 'air';
  readonly inputs: readonly number[];
  /** Whatever else the operation was called with, by name. */
  readonly [argument: string]: unknown;
}

/** The trained pair as a list of operations, for interpreters in other languages. */
export interface NetworkProgram {
  readonly steps: readonly ProgramStep[];
  /** Values of interest: [N D, K, 2] symbols over D channels each, their [N D, classes] scores, and [N, classes] scores
   * straight from the features. */
  readonly outputs: { readonly symbols: number; readonly scores: number; readonly direct: number };
}

/**
 * Writes down what training computes for a batch: both networks with the air between them, and the auxiliary
 * classifier. Made by calling network.ts itself, so that whoever follows it runs the very same network.
 */
export function networkProgram(spec: NetworkSpec): NetworkProgram {
  const ops = new ProgramOps();
  const [rgb, averageSnrDb, frameSnrDb, k] = ['rgb', 'average_snr_db', 'frame_snr_db', 'k'].map((name) =>
    ops.put('input', [], { name }),
  ) as [number, number, number, number];
  const features = imageFeatures(ops, spec, rgb);
  const sent = ops.put('draws', [features], {});
  const symbols = symbolsOf(ops, spec, sent, averageSnrDb, k);
  const received = ops.put('air', [symbols], {});
  const scores = classScores(ops, spec, received, frameSnrDb, k);
  const direct = ops.dense(features, 'auxiliary', spec.classes);
  return { steps: ops.steps, outputs: { symbols, scores, direct } };
}

/** Interprets the networks by writing them down; a value is the number of the step that makes it. */
class ProgramOps implements NetworkOps<number> {
  readonly steps: ProgramStep[] = [];

  put(op: ProgramStep['op'], inputs: number[], rest: Record<string, unknown>): number {
    return this.steps.push({ op, inputs, ...rest }) - 1;
  }

  convNorm = (x: number, name: string, shape: { filters: number; kernel: number; stride: number }) =>
    this.put('convNorm', [x], { name, ...shape });
  dense = (x: number, name: string, units: number, initial: { gain?: number; bias?: number } = {}) =>
    this.put('dense', [x], { name, units, gain: initial.gain ?? 1, bias: initial.bias ?? 0 });
  relu = (x: number) => this.put('relu', [x], {});
  sigmoid = (x: number) => this.put('sigmoid', [x], {});
  add = (a: number, b: number) => this.put('add', [a, b], {});
  mul = (a: number, b: number) => this.put('mul', [a, b], {});
  affine = (x: number, a: number, b: number) => this.put('affine', [x], { a, b });
  clip = (x: number, low: number, high: number) => this.put('clip', [x], { low, high });
  log = (x: number) => this.put('log', [x], {});
  sqrt = (x: number) => this.put('sqrt', [x], {});
  rsqrt = (x: number) => this.put('rsqrt', [x], {});
  sum = (x: number, axes: number[]) => this.put('sum', [x], { axes });
  concat = (xs: number[]) => this.put('concat', xs, {});
  reshape = (x: number, shape: number[]) => this.put('reshape', [x], { shape });
  globalAverage = (x: number) => this.put('globalAverage', [x], {});
  prefixMask = (count: number, length: number) => this.put('prefixMask', [count], { length });
}
