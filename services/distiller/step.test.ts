process.env.TF_NUM_INTRAOP_THREADS = '1';

import { afterEach, describe, expect, it } from 'vitest';
import { randomImages, SMALL_LENGTHS, SMALL_SPEC, seededNormal } from '../../shared/codec/small-model.fixture.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { statelessRandom } from '../../shared/tensor/stateless-random.js';
import type { Batch } from './batches.js';
import { drawChannels } from './channel-in-loop.js';
import { eagerGradient } from './eager-step.fixture.js';
import type { LossOptions } from './loss.js';
import { type StepOptions, type StepReport, TrainingStep } from './step.js';

const tf = loadTensorFlow();
const random = statelessRandom(tf);
const spec = SMALL_SPEC;
const count = 12;
const normal = seededNormal(8);

const LOSS: LossOptions = {
  smoothing: 0.1,
  auxiliary: 0.5,
  distillation: 0.5,
  temperature: 2,
  bottleneck: 0,
  groupSize: 1,
};
const teacher = (() => {
  const rows = Array.from({ length: count }, () => Array.from({ length: spec.classes }, () => Math.exp(normal())));
  return Float32Array.from(rows.flatMap((row) => row.map((p) => p / row.reduce((a, b) => a + b))));
})();
const labels = Array.from({ length: count }, (_, i) => (3 * i) % spec.classes);
const batch: Batch = {
  rgb: Float32Array.from(randomImages(spec, count, 1)),
  labels: Float32Array.from({ length: count * spec.classes }, (_, at) =>
    labels[Math.floor(at / spec.classes)] === at % spec.classes ? 1 : 0,
  ),
};

const open: TrainingStep[] = [];
afterEach(() => {
  for (const step of open.splice(0)) step.dispose();
});

function stepOf(loss: Partial<LossOptions> = {}, options: Partial<StepOptions> = {}) {
  const { draws = 1 } = options;
  const { groupSize } = { ...LOSS, ...loss };
  const step = new TrainingStep({
    spec,
    loss: { ...LOSS, ...loss },
    batchSize: count,
    draws,
    precision: 'float32',
    taught: false,
    weightDecay: 0.02,
    averageDecay: 0.9,
    ...options,
  });
  open.push(step);
  const uniform = Float32Array.from({ length: 4 * count * draws }, () => Math.abs(normal()) % 1);
  const range = { snrLowDb: 0, snrHighDb: 20, rayleighShare: 0.5, lengths: SMALL_LENGTHS, groupSize };
  const channel = drawChannels(uniform, range);
  // Away from the initial values, where scales are 1 and offsets 0.
  const moved = random.normal(step.parameters.size, 6, 0);
  const weights = step.parameters.initial(random, 3).map((value, i) => value + 0.1 * moved[i]!);
  return { step, channel, weights, names: step.parameters.entries };
}

const lossOf = (report: StepReport, { auxiliary, bottleneck }: LossOptions) =>
  report.task + auxiliary * report.auxiliary + bottleneck * report.bits;

// Every graph is optimised by TensorFlow before its first run, which takes long on a busy machine.
describe('TrainingStep', { timeout: 120_000 }, () => {
  it('has the cross-entropy of smoothed labels as its loss, in closed form where the scores are known', () => {
    const { step, channel, weights } = stepOf();
    const bias = [0.3, -1, 2, 0, 0.7];
    // Heads that answer the same whatever they see.
    for (const [name, { data }] of step.parameters.parts(weights)) {
      if (/^(decoder\/classes|auxiliary)\//.test(name)) data.set(name.endsWith('/bias') ? bias : data.map(() => 0));
    }
    const { report } = step.gradient(weights, batch, channel, [1, 2]);
    const logSum = Math.log(bias.reduce((sum, score) => sum + Math.exp(score), 0));
    const losses = labels.map((label) =>
      bias.reduce((sum, score, c) => sum + (0.1 / 5 + (c === label ? 0.9 : 0)) * (logSum - score), 0),
    );
    const expected = losses.reduce((sum, loss) => sum + loss, 0) / count;
    expect(report.task).toBeCloseTo(expected, 5);
    expect(report.auxiliary).toBeCloseTo(expected, 5);
    expect(report.accuracy).toBeCloseTo(labels.filter((label) => label === 2).length / count, 6);
  });

  it.each<[string, Partial<LossOptions>, Partial<StepOptions>]>([
    ['on labels', {}, {}],
    ['with two channels an image', {}, { draws: 2 }],
    ['from a teacher', {}, { taught: true, draws: 3 }],
    ['with the information bound', { bottleneck: 0.3, groupSize: 4 }, { draws: 2 }],
  ])('has the gradient of TensorFlow.js in every parameter: %s', (_, loss, options) => {
    const { step, channel, weights } = stepOf(loss, options);
    const of = { ...batch, ...(options.taught && { teacher }) };
    const { gradient } = step.gradient(weights, of, channel, [1, 2]);
    const eager = eagerGradient(tf, spec, { ...LOSS, ...loss }, step.parameters.parts(weights), {
      batch: of,
      channel,
      noiseKey: [1, 2],
    });
    for (const [name, { data }] of step.parameters.parts(gradient)) {
      const expected = eager.gradients.get(name)!;
      const largest = expected.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      const error = data.reduce((most, g, i) => Math.max(most, Math.abs(g - expected[i]!)), 0);
      expect(error, name).toBeLessThan(1e-5 + 2e-3 * largest);
    }
  });

  it('has a gradient in bfloat16 that points where that of float32 does', () => {
    const [wide, narrow] = (['float32', 'bfloat16'] as const).map((precision) => stepOf({}, { precision }).step);
    const { channel, weights } = stepOf();
    const [a, b] = [wide!, narrow!].map((step) => step.gradient(weights, batch, channel, [1, 2]).gradient);
    const product = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
    expect(product(a!, b!) / Math.sqrt(product(a!, a!) * product(b!, b!))).toBeGreaterThan(0.97);
    expect(b).not.toEqual(a);
  });

  it('has the loss gradient of finite differences along random directions', () => {
    const { step, channel, weights } = stepOf({ bottleneck: 0.2, groupSize: 3 });
    const options = { ...LOSS, bottleneck: 0.2 };
    const { gradient: slopes } = step.gradient(weights, batch, channel, [1, 2]);
    const lossAt = (at: Float32Array) => lossOf(step.gradient(at, batch, channel, [1, 2]).report, options);
    const length = Math.sqrt(slopes.reduce((sum, g) => sum + g * g, 0));
    const by = 2e-3;
    for (let trial = 0; trial < 4; trial++) {
      // The gradient itself, then directions that share half of it.
      const direction = slopes.map((g) => g / length + (trial === 0 ? 0 : normal() / Math.sqrt(slopes.length)));
      const expected = slopes.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const ahead = lossAt(weights.map((w, i) => w + by * direction[i]!));
      const behind = lossAt(weights.map((w, i) => w - by * direction[i]!));
      expect(Math.abs((ahead - behind) / (2 * by) / expected - 1)).toBeLessThan(0.05);
    }
  });

  it('takes the step that its gradient says, and reports what was before it', () => {
    const { step, channel, weights } = stepOf();
    const zeros = new Float32Array(weights.length);
    step.load({ weights, average: weights, first: zeros, second: zeros });
    const { gradient, report } = step.gradient(weights, batch, channel, [1, 2]);
    expect(step.state().weights).toEqual(weights);
    const taken = step.take(batch, channel, [1, 2], 0, 0.01);
    expect(taken.task).toBeCloseTo(report.task, 5);
    const after = step.state();
    const mask = step.parameters.decayMask();
    after.first.forEach((first, i) => {
      expect(Math.abs(first - 0.1 * gradient[i]!)).toBeLessThan(1e-6 + 1e-3 * Math.abs(gradient[i]!));
      if (Math.abs(gradient[i]!) < 1e-4) return;
      // Adam's first step is the rate along the sign.
      const expected = weights[i]! * (1 - 0.01 * 0.02 * mask[i]!) - 0.01 * Math.sign(gradient[i]!);
      expect(Math.abs(after.weights[i]! - expected)).toBeLessThan(2e-5);
      expect(after.average[i]).toBeCloseTo(weights[i]! + (10 / 11) * (after.weights[i]! - weights[i]!), 5);
    });
  });

  it('depends on the noise key and on nothing else that is random', () => {
    const { step, channel, weights } = stepOf();
    const at = (key: [number, number]) => step.gradient(weights, batch, channel, key);
    const [a, b, c, d] = [at([1, 2]), at([1, 2]), at([1, 3]), at([2, 2])];
    expect(b.report).toEqual(a.report);
    expect(b.gradient).toEqual(a.gradient);
    for (const other of [c, d]) {
      expect(other.report.task).not.toBe(a.report.task);
      expect(other.report.auxiliary).toBe(a.report.auxiliary);
    }
  });
});
