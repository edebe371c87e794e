import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import type { Tf } from '../../shared/tensor/native.js';

/** What the right answer of a batch is made of. */
export interface Targets {
  /** Share of each class in each image, N * classes; each image's sum to 1. */
  labels: Float32Array;
  /** The teacher's distribution of each image at the temperature of the loss, N * classes; absent: labels alone. */
  teacher?: Float32Array | undefined;
}

export interface LossOptions {
  /** Label smoothing, 0 to 1. */
  smoothing: number;
  /** Weight of the auxiliary head. It is not published: it only gives the encoder a gradient without channel noise. */
  auxiliary: number;
  /** alpha: weight of the teacher against the labels, 0 to 1; only where there is a teacher. */
  distillation: number;
  /** T > 0 of teacher and student. */
  temperature: number;
  /** beta: nats of loss for a bit of information bound. */
  bottleneck: number;
  /** Images of a batch, consecutive, that are sent under one channel condition; see information-bound.ts. */
  groupSize: number;
}

/** The two parts of what an answer costs, scalars, nats. */
export interface AnswerLoss {
  /** Cross-entropy with the smoothed labels. */
  labels: Tensor;
  /** KL(p_T || q_T), not yet times T^2; undefined without a teacher. */
  teacher: Tensor | undefined;
  /** (1 - alpha) CE(y, q) + alpha T^2 KL(p_T || q_T). */
  total: Tensor;
}

/**
 * Loss of some answers: with the teacher (Hinton, Vinyals, Dean, arXiv 1503.02531; T^2 keeps the gradient's size)
 * (1 - alpha) CE(y, q) + alpha T^2 KL(p_T || q_T), else CE(y, q). Both terms are variational lower bounds on the
 * information the received symbols have of the answer, the teacher's with less variance.
 *
 * @param logits [N, classes]
 */
export function answerLoss(tf: Tf, logits: Tensor, targets: Targets, options: LossOptions): AnswerLoss {
  const [n, classes] = logits.shape as [number, number];
  const { smoothing, distillation, temperature } = options;
  const shares = tf.tensor2d(targets.labels, [n, classes]);
  const smooth = tf.add(tf.mul(shares, 1 - smoothing), smoothing / classes);
  const crossEntropy = (p: Tensor, scores: Tensor) => tf.neg(tf.mean(tf.sum(tf.mul(p, tf.logSoftmax(scores)), 1)));
  const labels = crossEntropy(smooth, logits);
  if (!targets.teacher) return { labels, teacher: undefined, total: labels };
  const p = tf.tensor2d(targets.teacher, [n, classes]);
  // The entropy of p does not depend on the student, but with it the term is 0 where the student knows all.
  const entropy = tf.neg(tf.mean(tf.sum(tf.mul(p, tf.log(tf.maximum(p, 1e-12))), 1)));
  const teacher = tf.sub(crossEntropy(p, tf.div(logits, temperature)), entropy);
  const total = tf.add(tf.mul(labels, 1 - distillation), tf.mul(teacher, distillation * temperature ** 2));
  return { labels, teacher, total };
}
