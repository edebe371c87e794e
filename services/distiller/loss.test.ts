import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import { expect, test } from 'vitest';
import { loadTensorFlow, setTensorFlowEnvironment } from '../../shared/tensor/native.js';
import { answerLoss, type LossOptions } from './loss.js';

setTensorFlowEnvironment(1);
const tf = loadTensorFlow();
const options: LossOptions = {
  smoothing: 0.1,
  auxiliary: 0.5,
  distillation: 0.7,
  temperature: 3,
  bottleneck: 0,
  groupSize: 1,
};
const logits = [
  [1, -2, 0.5],
  [0, 3, 1],
];
/** The first image is of the third class, the second half of the first and half of the second. */
const shares = [
  [0, 0, 1],
  [0.5, 0.5, 0],
];
const labels = Float32Array.from(shares.flat());
const softmax = (x: number[], t = 1) => {
  const e = x.map((v) => Math.exp(v / t));
  return e.map((v) => v / e.reduce((a, b) => a + b));
};
const value = (t: Tensor | undefined) => t!.dataSync()[0]!;

test('is the cross-entropy with smoothed labels without a teacher', () => {
  const { total, teacher } = answerLoss(tf, tf.tensor2d(logits), { labels }, options);
  const expected = logits.map((row, i) => {
    const q = softmax(row);
    return -q.reduce((sum, p, c) => sum + (0.9 * shares[i]![c]! + 0.1 / 3) * Math.log(p), 0);
  });
  expect(teacher).toBeUndefined();
  expect(value(total)).toBeCloseTo((expected[0]! + expected[1]!) / 2, 5);
});

test('adds alpha T^2 times the divergence from the teacher', () => {
  const p = [
    [0.2, 0.3, 0.5],
    [0.9, 0.05, 0.05],
  ];
  const loss = answerLoss(tf, tf.tensor2d(logits), { labels, teacher: Float32Array.from(p.flat()) }, options);
  const divergence = p.map((row, i) => {
    const q = softmax(logits[i]!, 3);
    return row.reduce((sum, v, c) => sum + v * Math.log(v / q[c]!), 0);
  });
  const mean = (divergence[0]! + divergence[1]!) / 2;
  expect(value(loss.teacher)).toBeCloseTo(mean, 5);
  expect(value(loss.total)).toBeCloseTo(0.3 * value(loss.labels) + 0.7 * 9 * mean, 4);
});

test('is 0 against a teacher that says the same, also where it is certain', () => {
  const certain = [[60, 0, 0]];
  const teacher = Float32Array.of(1, 0, 0);
  const loss = answerLoss(tf, tf.tensor2d(certain), { labels: teacher, teacher }, options);
  expect(value(loss.teacher)).toBeCloseTo(0, 6);
});
