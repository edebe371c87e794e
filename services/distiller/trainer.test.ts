process.env.TF_NUM_INTRAOP_THREADS = '1';

import { describe, expect, it } from 'vitest';
import { decoderGraph, encoderGraph } from '../../shared/codec/network-graph.js';
import { randomImages, SMALL_LENGTHS, SMALL_SPEC } from '../../shared/codec/small-model.fixture.js';
import type { Weights } from '../../shared/codec/weights.js';
import { loadConfig } from '../../shared/config/index.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import type { LabelledImages } from './batches.js';
import { type DistillerConfig, distillerConfig } from './config.js';
import type { OptimizerState } from './optimizer.js';
import { Trainer } from './trainer.js';

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

describe('Trainer', { timeout: 120_000 }, () => {
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
