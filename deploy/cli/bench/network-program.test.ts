import { describe, expect, it } from 'vitest';
import { classScores, imageFeatures, symbolsOf } from '../../../shared/codec/network.js';
import { type Reference, ReferenceOps } from '../../../shared/codec/reference-ops.fixture.js';
import { randomImages, SMALL_SPEC, seededNormal } from '../../../shared/codec/small-model.fixture.js';
import { networkProgram, type ProgramStep } from './network-program.js';

const COUNT = 3;
const PARAMETERS = seededNormal(4);

describe('networkProgram', () => {
  it('is the network: following it step by step gives what the network gives', () => {
    const spec = SMALL_SPEC;
    const weights = new Map<string, number[]>();
    const ops = new ReferenceOps((name, kind, shape) => {
      const key = `${name}/${kind}`;
      const size = shape.reduce((a, b) => a * b, 1);
      if (!weights.has(key)) {
        weights.set(
          key,
          Array.from({ length: size }, () => (kind === 'variance' ? 1 + PARAMETERS() ** 2 : 0.3 * PARAMETERS())),
        );
      }
      return weights.get(key)!;
    });
    const value = (shape: number[], data: ArrayLike<number>): Reference => ({ shape, data: Float64Array.from(data) });
    const column = (...data: number[]) => value([COUNT, 1], data);
    const inputs: Record<string, Reference> = {
      rgb: value([COUNT, spec.height, spec.width, 3], randomImages(spec, COUNT, 1)),
      average_snr_db: column(-6, 5, 20),
      frame_snr_db: column(-9, 7, 22),
      k: column(2, 4, 8),
    };
    // The air of this test: symbols arrive at half their size.
    const air = (symbols: Reference) => ops.affine(symbols, 0.5, 0);

    const features = imageFeatures<Reference>(ops, spec, inputs.rgb!);
    const symbols = symbolsOf<Reference>(ops, spec, features, inputs.average_snr_db!, inputs.k!);
    const scores = classScores<Reference>(ops, spec, air(symbols), inputs.frame_snr_db!, inputs.k!);
    const direct = ops.dense(features, 'auxiliary', spec.classes);

    const { steps, outputs } = networkProgram(spec);
    const values: Reference[] = [];
    for (const step of steps) values.push(follow(step, values));
    for (const [got, due] of [
      [outputs.symbols, symbols],
      [outputs.scores, scores],
      [outputs.direct, direct],
    ] as const) {
      expect(values[got]!.shape).toEqual(due.shape);
      expect([...values[got]!.data]).toEqual([...due.data]);
    }

    function follow(step: ProgramStep, before: readonly Reference[]): Reference {
      const [a, b] = step.inputs.map((i) => before[i]!);
      const s = step as unknown as Record<string, never>;
      switch (step.op) {
        case 'input':
          return inputs[s.name!]!;
        case 'draws': // One channel an image.
          return a!;
        case 'air':
          return air(a!);
        case 'convNorm':
          return ops.convNorm(a!, s.name!, { filters: s.filters!, kernel: s.kernel!, stride: s.stride! });
        case 'dense':
          return ops.dense(a!, s.name!, s.units!);
        case 'affine':
          return ops.affine(a!, s.a!, s.b!);
        case 'clip':
          return ops.clip(a!, s.low!, s.high!);
        case 'sum':
          return ops.sum(a!, s.axes!);
        case 'concat':
          return ops.concat(step.inputs.map((i) => before[i]!));
        case 'reshape':
          return ops.reshape(a!, s.shape!);
        case 'prefixMask':
          return ops.prefixMask(a!, s.length!);
        case 'add':
          return ops.add(a!, b!);
        case 'mul':
          return ops.mul(a!, b!);
        default:
          return ops[step.op](a!);
      }
    }
  });

  it('is plain data', () => {
    const program = networkProgram(SMALL_SPEC);
    expect(JSON.parse(JSON.stringify(program))).toEqual(program);
  });
});
