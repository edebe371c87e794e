process.env.TF_NUM_INTRAOP_THREADS = '1';

import { expect, test } from 'vitest';
import { evaluated } from '../../shared/tensor/evaluated-graph.fixture.js';
import { answerLoss, type LossOptions, smoothedLabels } from './loss.js';

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
const softmax = (x: number[], t = 1) => {
  const e = x.map((v) => Math.exp(v / t));
  return e.map((v) => v / e.reduce((a, b) => a + b));
};

function lossOf(scores: number[][], right: number[][], p?: number[][]) {
  const shape = [scores.length, 3];
  const { values, gradients } = evaluated([{ shape, data: Float32Array.from(scores.flat()) }], (ops, [x]) => {
    const targets = {
      labels: smoothedLabels(ops, ops.graph.constant(shape, Float32Array.from(right.flat())), options.smoothing),
      teacher: p && ops.graph.constant(shape, Float32Array.from(p.flat())),
    };
    const { total, labels: fromLabels, teacher } = answerLoss(ops, x!, targets, options);
    return [total, fromLabels, ...(teacher ? [teacher] : [])];
  });
  const [total, fromLabels, teacher] = values.map((value) => value[0]!);
  return { total: total!, labels: fromLabels!, teacher, gradient: gradients[0]! };
}

test('is the cross-entropy with smoothed labels without a teacher', () => {
  const { total, teacher } = lossOf(logits, shares);
  const expected = logits.map((row, i) => {
    const q = softmax(row);
    return -q.reduce((sum, p, c) => sum + (0.9 * shares[i]![c]! + 0.1 / 3) * Math.log(p), 0);
  });
  expect(teacher).toBeUndefined();
  expect(total).toBeCloseTo((expected[0]! + expected[1]!) / 2, 5);
});

test('adds alpha T^2 times the divergence from the teacher', () => {
  const p = [
    [0.2, 0.3, 0.5],
    [0.9, 0.05, 0.05],
  ];
  const loss = lossOf(logits, shares, p);
  const divergence = p.map((row, i) => {
    const q = softmax(logits[i]!, 3);
    return row.reduce((sum, v, c) => sum + v * Math.log(v / q[c]!), 0);
  });
  const mean = (divergence[0]! + divergence[1]!) / 2;
  expect(loss.teacher).toBeCloseTo(mean, 5);
  expect(loss.total).toBeCloseTo(0.3 * loss.labels + 0.7 * 9 * mean, 4);
});

test('is 0 against a teacher that says the same, also where it is certain', () => {
  const { teacher } = lossOf([[60, 0, 0]], [[1, 0, 0]], [[1, 0, 0]]);
  expect(teacher).toBeCloseTo(0, 6);
});

test('has the gradient of finite differences', () => {
  const p = [
    [0.2, 0.3, 0.5],
    [0.9, 0.05, 0.05],
  ];
  const { gradient } = lossOf(logits, shares, p);
  const moved = (at: number, by: number) =>
    lossOf(
      logits.map((row, i) => row.map((x, c) => (3 * i + c === at ? x + by : x))),
      shares,
      p,
    ).total;
  for (const at of [0, 2, 4]) expect(gradient[at]).toBeCloseTo((moved(at, 0.02) - moved(at, -0.02)) / 0.04, 3);
});
