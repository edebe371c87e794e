process.env.TF_NUM_INTRAOP_THREADS = '1';

import { describe, expect, it } from 'vitest';
import { decoderGraph, encoderGraph } from '../../shared/codec/network-graph.js';
import { randomImages, SMALL_LENGTHS, SMALL_SPEC, seededNormal } from '../../shared/codec/small-model.fixture.js';
import type { Weights } from '../../shared/codec/weights.js';
import { loadConfig } from '../../shared/config/index.js';
import { convolutions } from '../../shared/tensor/convolution.js';
import { fusedOps } from '../../shared/tensor/fused.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import type { LabelledImages } from './batches.js';
import { drawChannels } from './channel-in-loop.js';
import { type DistillerConfig, distillerConfig } from './config.js';
import type { OptimizerState } from './optimizer.js';
import { Parameters } from './parameters.js';
import { TrainingPair } from './step.js';
import { Trainer } from './trainer.js';
import { TrainingOps } from './training-ops.js';

const tf = loadTensorFlow();
const spec = SMALL_SPEC;
const COUNT = 70;

/** 4 steps an epoch of 70 images, two epochs. */
function configWith(overrides: Record<string, unknown> = {}): DistillerConfig {
  const { config } = loadConfig(distillerConfig, {
    overrides: { channelUses: SMALL_LENGTHS, batchSize: 16, epochs: 2, seed: 5, ...overrides },
  });
  return config!;
}

/** Noise whose brightness in each colour tells the class: something that can be learned. */
const images: LabelledImages = (() => {
  const labels = Uint8Array.from({ length: COUNT }, (_, i) => i % spec.classes);
  const size = spec.width * spec.height * 3;
  const rgb = randomImages(spec, COUNT, 1).map((value, at) => {
    const label = labels[Math.floor(at / size)]!;
    return value / 2 + ((label >> (at % 3)) & 1 ? 127 : 0);
  });
  return { rgb, labels, count: COUNT, width: spec.width, height: spec.height };
})();

const trainerOf = (overrides: Record<string, unknown> = {}, resume?: OptimizerState) =>
  new Trainer(tf, configWith(overrides), spec, images, { resume });

function steps(trainer: Trainer, count: number): Trainer {
  for (let i = 0; i < count; i++) trainer.advance();
  return trainer;
}

const plain = (weights: Weights) => [...weights].map(([name, { shape, data }]) => [name, shape, [...data]]);

describe('Trainer', () => {
  it('counts whole batches only', () => {
    const trainer = trainerOf();
    expect([trainer.stepsPerEpoch, trainer.steps, trainer.step]).toEqual([4, 8, 0]);
  });

  it('mixes images where that is asked for, differently in each step, and goes on to the same bits', () => {
    const mixed = { cutMix: 0.4, mixup: 0.4 };
    const [whole, first] = [steps(trainerOf(mixed), 3).state(), steps(trainerOf(mixed), 2).state()];
    expect(whole).not.toEqual(steps(trainerOf(), 3).state());
    expect(steps(trainerOf(mixed, first), 1).state()).toEqual(whole);
  });

  it('gives the same bits for the same seed, and others for another', () => {
    const [a, b] = [steps(trainerOf(), 3).state(), steps(trainerOf(), 3).state()];
    expect(a.step).toBe(3);
    expect(b).toEqual(a);
    const other = steps(trainerOf({ seed: 6 }), 3).state();
    expect(other.weights).not.toEqual(a.weights);
  });

  it('goes on from a state to the same bits as without a stop, within an epoch and into the next', () => {
    const whole = steps(trainerOf(), 6);
    for (const stop of [2, 4]) {
      const before = steps(trainerOf(), stop);
      const after = steps(trainerOf({}, before.state()), 6 - stop);
      expect(after.state()).toEqual(whole.state());
    }
    const after = trainerOf({}, whole.state());
    expect(after.step).toBe(6);
    expect(plain(after.average())).toEqual(plain(whole.average()));
  });

  it('averages as a pure function of the state, without touching the run', () => {
    const undisturbed = steps(trainerOf(), 5);
    const trainer = steps(trainerOf(), 3);
    const first = plain(trainer.average());
    expect(plain(trainer.average())).toEqual(first);
    steps(trainer, 2);
    expect(trainer.state()).toEqual(undisturbed.state());
    expect(plain(trainer.average())).not.toEqual(first);
  });

  it('gives what is published: all that the graphs need, without the auxiliary head', () => {
    const weights = steps(trainerOf(), 2).average();
    expect([...weights.keys()].filter((name) => name.startsWith('auxiliary'))).toEqual([]);
    expect(() => [encoderGraph(spec, weights), decoderGraph(spec, weights)]).not.toThrow();
    for (const [name, { shape, data }] of weights) {
      expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
      expect(data.every(Number.isFinite)).toBe(true);
      if (name.endsWith('/variance')) expect(data.every((v) => v > 0)).toBe(true);
    }
  });

  it('gives the average of an earlier state again', () => {
    const trainer = steps(trainerOf(), 3);
    const { average } = trainer.state();
    const then = plain(trainer.average());
    steps(trainer, 2);
    expect(plain(trainer.average(average))).toEqual(then);
    expect(plain(trainer.average())).not.toEqual(then);
  });

  it('trains without the adaptive module, in bfloat16 and with several channels an image too', () => {
    for (const options of [{ channelDraws: 1 }, { channelDraws: 3 }, { precision: 'bfloat16' }]) {
      const reports = Array.from(
        { length: 4 },
        (
          (t) => () =>
            t.advance()
        )(trainerOf(options)),
      );
      expect(reports.every((r) => Number.isFinite(r.task) && r.task > 0)).toBe(true);
    }
    const plainSpec = { ...spec, unadapted: true };
    const trainer = steps(new Trainer(tf, configWith(), plainSpec, images), 2);
    expect([...trainer.average().keys()].some((name) => name.includes('gate') && name.startsWith('encoder'))).toBe(
      false,
    );
    expect(() => encoderGraph(plainSpec, trainer.average())).not.toThrow();
  });

  it('holds no more tensors after many steps and averages than after one', () => {
    const trainer = steps(trainerOf(), 1);
    trainer.average();
    const before = tf.memory().numTensors;
    steps(trainer, 4);
    trainer.average();
    steps(trainer, 1);
    trainer.state();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('learns what can be learned', () => {
    const trainer = trainerOf({ epochs: 16, learningRate: 0.03, snrLowDb: 5 });
    const reports = Array.from({ length: trainer.steps }, () => trainer.advance());
    const mean = (part: typeof reports, of: 'task' | 'auxiliary' | 'accuracy') =>
      part.reduce((sum, report) => sum + report[of], 0) / part.length;
    const [early, late] = [reports.slice(0, 8), reports.slice(-8)];
    // Five classes: ln 5 = 1.61 nats of not knowing.
    expect(mean(early, 'task')).toBeGreaterThan(1.2);
    expect(mean(late, 'task')).toBeLessThan(0.7 * mean(early, 'task'));
    expect(mean(late, 'auxiliary')).toBeLessThan(0.7 * mean(early, 'auxiliary'));
    expect(mean(late, 'accuracy')).toBeGreaterThan(mean(early, 'accuracy') + 0.2);
  });
});

describe('TrainingPair', () => {
  const smoothing = 0.1;
  const auxiliary = 0.5;

  function pairOf() {
    const fused = fusedOps(tf);
    const parameters = new Parameters(tf, fused, 3);
    const pair = new TrainingPair(
      tf,
      fused,
      new TrainingOps(tf, fused, convolutions(tf, 'float32'), parameters),
      spec,
      {
        smoothing,
        auxiliary,
        distillation: 0.5,
        temperature: 2,
        bottleneck: 0,
        groupSize: 1,
      },
    );
    pair.build();
    return { pair, parameters };
  }

  const count = 12;
  const size = spec.width * spec.height * 3;
  const batch = {
    rgb: Float32Array.from(images.rgb.subarray(0, count * size)),
    labels: Float32Array.from({ length: 5 * count }, (_, at) => (images.labels[Math.floor(at / 5)] === at % 5 ? 1 : 0)),
  };
  const labels = images.labels.subarray(0, count);
  const normal = seededNormal(8);
  const uniform = Float32Array.from({ length: 4 * count }, () => Math.abs(normal()) % 1);
  const channel = drawChannels(uniform, {
    snrLowDb: 0,
    snrHighDb: 20,
    rayleighShare: 0.5,
    lengths: SMALL_LENGTHS,
    groupSize: 1,
  });

  it('has the cross-entropy of smoothed labels as its loss, in closed form where the scores are known', () => {
    const { pair, parameters } = pairOf();
    const bias = [0.3, -1, 2, 0, 0.7];
    // Heads that answer the same whatever they see.
    parameters.use(
      parameters.entries.map(({ name, shape }, i) => {
        if (!/^(decoder\/classes|auxiliary)\//.test(name)) return parameters.tensors()[i]!;
        return name.endsWith('/bias') ? tf.tensor1d(bias) : tf.zeros(shape);
      }),
    );
    const { report } = pair.gradient(parameters, batch, channel, [1, 2]);
    const logSum = Math.log(bias.reduce((sum, score) => sum + Math.exp(score), 0));
    const losses = Array.from(labels, (label) =>
      bias.reduce((sum, score, c) => sum + (smoothing / 5 + (c === label ? 1 - smoothing : 0)) * (logSum - score), 0),
    );
    const expected = losses.reduce((sum, loss) => sum + loss, 0) / count;
    expect(report.task).toBeCloseTo(expected, 5);
    expect(report.auxiliary).toBeCloseTo(expected, 5);
    expect(report.accuracy).toBeCloseTo(labels.filter((label) => label === 2).length / count, 6);
  });

  it('has the loss gradient of finite differences along random directions', () => {
    const { pair, parameters } = pairOf();
    const { gradient, report } = pair.gradient(parameters, batch, channel, [1, 2]);
    const start = parameters.flatten(parameters.tensors());
    const lossAt = (weights: Float32Array) => {
      parameters.use(parameters.unflatten(tf.tensor1d(weights)));
      const at = pair.gradient(parameters, batch, channel, [1, 2]).report;
      return at.task + auxiliary * at.auxiliary;
    };
    const from = start.dataSync<'float32'>();
    const slopes = gradient.dataSync<'float32'>();
    expect(lossAt(from)).toBeCloseTo(report.task + auxiliary * report.auxiliary, 5);
    const length = Math.sqrt(slopes.reduce((sum, g) => sum + g * g, 0));
    const step = 2e-3;
    for (let trial = 0; trial < 4; trial++) {
      // The gradient itself, then directions that share half of it.
      const direction = slopes.map((g) => g / length + (trial === 0 ? 0 : normal() / Math.sqrt(slopes.length)));
      const expected = slopes.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const ahead = lossAt(from.map((w, i) => w + step * direction[i]!));
      const behind = lossAt(from.map((w, i) => w - step * direction[i]!));
      expect(Math.abs((ahead - behind) / (2 * step) / expected - 1)).toBeLessThan(0.05);
    }
  });

  it('depends on the noise key and on nothing else that is random', () => {
    const { pair, parameters } = pairOf();
    const at = (key: [number, number]) => pair.gradient(parameters, batch, channel, key);
    const [a, b, c, d] = [at([1, 2]), at([1, 2]), at([1, 3]), at([2, 2])];
    expect(b.report).toEqual(a.report);
    expect([...b.gradient.dataSync()]).toEqual([...a.gradient.dataSync()]);
    for (const other of [c, d]) {
      expect(other.report.task).not.toBe(a.report.task);
      expect(other.report.auxiliary).toBe(a.report.auxiliary);
    }
  });
});
