import type { Value } from '../../shared/tensor/gradient-graph.js';
import { crossEntropy } from '../../shared/tensor/gradient-layers.js';
import type { GradientOps } from '../../shared/tensor/gradient-ops.js';

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

/** What the right answer of a batch is made of, [N, classes] each. */
export interface Targets {
  /** Share of each class in each image, smoothed; each image's sum to 1. */
  labels: Value;
  /** The teacher's distributions at the temperature of the loss; absent: labels alone. */
  teacher?: Value | undefined;
}

/** The two parts of what an answer costs, scalars, nats. */
export interface AnswerLoss {
  /** Cross-entropy with the smoothed labels. */
  labels: Value;
  /** KL(p_T || q_T), not yet times T^2; undefined without a teacher. */
  teacher: Value | undefined;
  /** (1 - alpha) CE(y, q) + alpha T^2 KL(p_T || q_T). */
  total: Value;
}

/** Shares of the classes [N, classes] with `smoothing` spread evenly over the classes. */
export function smoothedLabels(ops: GradientOps, labels: Value, smoothing: number): Value {
  return ops.affine(labels, 1 - smoothing, smoothing / labels.shape[1]!);
}

/**
 * Loss of some answers: with the teacher (Hinton, Vinyals, Dean, arXiv 1503.02531; T^2 keeps the gradient's size)
 * (1 - alpha) CE(y, q) + alpha T^2 KL(p_T || q_T), else CE(y, q). Both terms are variational lower bounds on the
 * information the received symbols have of the answer, the teacher's with less variance.
 *
 * @param logits [N, classes]
 */
export function answerLoss(ops: GradientOps, logits: Value, targets: Targets, options: LossOptions): AnswerLoss {
  const { graph } = ops;
  const { distillation, temperature } = options;
  const labels = crossEntropy(ops, targets.labels, logits);
  const p = targets.teacher;
  if (!p) return { labels, teacher: undefined, total: labels };
  // The entropy of p does not depend on the student, but with it the term is 0 where the student knows all.
  const logarithm = ops.log(graph.node('Maximum', [p, graph.scalar(1e-12)], p.shape));
  const negativeEntropy = ops.mean(ops.sum(ops.mul(p, logarithm), [1]), [0]);
  const teacher = ops.add(crossEntropy(ops, p, ops.scaled(logits, 1 / temperature)), negativeEntropy);
  const total = ops.add(ops.scaled(labels, 1 - distillation), ops.scaled(teacher, distillation * temperature ** 2));
  return { labels, teacher, total };
}
