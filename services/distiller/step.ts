import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import { classScores, imageFeatures, type NetworkSpec, symbolsOf } from '../../shared/codec/network.js';
import type { FusedOps } from '../../shared/tensor/fused.js';
import type { Tf } from '../../shared/tensor/native.js';
import type { Batch } from './batches.js';
import { type BatchChannel, throughTheAir } from './channel-in-loop.js';
import { informationBoundBits } from './information-bound.js';
import { answerLoss, type LossOptions } from './loss.js';
import type { Parameters } from './parameters.js';
import type { TrainingOps } from './training-ops.js';

/** Terms of one batch's loss, nats, and the share of images answered right. */
export interface StepReport {
  /** Cross-entropy of the receiver's answer with the labels. */
  task: number;
  /** Loss of the auxiliary answer straight from the encoder's features. */
  auxiliary: number;
  /** KL divergence of the receiver's answer from the teacher's at the temperature; 0 without a teacher. */
  teacher: number;
  /** Semantic information rate: bound of what the received symbols tell of an image, bits; 0 where groups are of one. */
  bits: number;
  accuracy: number;
}

/** Runs the pair with the channel in the loop, for one batch. */
export class TrainingPair {
  readonly #tf: Tf;
  readonly #fused: FusedOps;
  readonly #ops: TrainingOps;
  readonly #spec: NetworkSpec;
  readonly #loss: LossOptions;

  constructor(tf: Tf, fused: FusedOps, ops: TrainingOps, spec: NetworkSpec, loss: LossOptions) {
    this.#tf = tf;
    this.#fused = fused;
    this.#ops = ops;
    this.#spec = spec;
    this.#loss = loss;
  }

  /** Makes every parameter, by a pass over one black image. */
  build(): void {
    const { width, height, maxChannelUses } = this.#spec;
    const one = (value: number) => Float32Array.of(value);
    this.#tf.tidy(() => {
      const channel: BatchChannel = {
        averageSnrDb: one(10),
        gainPower: one(1),
        noisePower: one(0.1),
        frameSnrDb: one(10),
        channelUses: one(maxChannelUses),
      };
      this.#forward(
        { rgb: new Float32Array(width * height * 3), labels: new Float32Array(this.#spec.classes) },
        channel,
        [0, 0],
      );
    });
  }

  /**
   * Loss gradient of a batch with respect to every parameter.
   *
   * @param noiseKey seed and counter of the batch's channel noise
   * @returns the gradient as one vector in the parameters' order (caller disposes) and the loss terms
   */
  gradient(
    parameters: Parameters,
    batch: Batch,
    channel: BatchChannel,
    noiseKey: [number, number],
  ): { gradient: Tensor; report: StepReport } {
    const tf = this.#tf;
    let terms: Tensor[] = [];
    const gradient = tf.tidy(() => {
      const inputs = parameters.tensors();
      const compute = tf.valueAndGrads((...tensors) => {
        parameters.use(tensors as unknown as Tensor[]);
        const { answer, auxiliary, bits, correct } = this.#forward(batch, channel, noiseKey);
        const teacher = answer.teacher ?? tf.scalar(0);
        terms = [answer.labels, auxiliary, teacher, bits, correct].map((term) => tf.keep(term.clone()));
        const loss = tf.add(answer.total, tf.mul(auxiliary, this.#loss.auxiliary));
        // Without its weight the bound is only watched: no gradient is spent on it.
        return (this.#loss.bottleneck > 0 ? tf.add(loss, tf.mul(bits, this.#loss.bottleneck)) : loss).asScalar();
      });
      const { grads } = compute(inputs);
      parameters.use(inputs);
      return parameters.flatten(grads);
    });
    const [task, auxiliary, teacher, bits, accuracy] = terms.map((t) => t.dataSync()[0]!);
    tf.dispose(terms);
    const report = { task: task!, auxiliary: auxiliary!, teacher: teacher!, bits: bits!, accuracy: accuracy! };
    return { gradient, report };
  }

  /** The encoder's features of a batch before any adaptation, [N, stages[2]]; call inside a tidy. */
  features(batch: Batch): Tensor {
    const { width, height } = this.#spec;
    const rgb = this.#tf.tensor4d(batch.rgb, [batch.rgb.length / (height * width * 3), height, width, 3]);
    return imageFeatures<Tensor>(this.#ops, this.#spec, this.#ops.constant(rgb));
  }

  #forward(batch: Batch, channel: BatchChannel, [seed, counter]: [number, number]) {
    const tf = this.#tf;
    // Each image is sent several times, over channels of their own: the encoder's costly part is run once for all.
    const n = channel.channelUses.length;
    const { classes, maxChannelUses } = this.#spec;
    const draws = (n * classes) / batch.labels.length;
    const column = (values: Float32Array) => tf.tensor2d(values, [n, 1]);
    const k = column(channel.channelUses);
    const features = this.features(batch);
    const sent = draws > 1 ? tf.tile(features, [draws, 1]) : features;
    const symbols = symbolsOf<Tensor>(this.#ops, this.#spec, sent, column(channel.averageSnrDb), k);
    const noise = this.#fused.statelessNormal([n, maxChannelUses, 2], seed, counter);
    const received = throughTheAir(tf, symbols, channel, noise);
    const scores = classScores<Tensor>(this.#ops, this.#spec, received, column(channel.frameSnrDb), k);
    const direct = this.#ops.dense(features, 'auxiliary', classes);
    const targets = { labels: repeated(batch.labels, draws), teacher: batch.teacher && repeated(batch.teacher, draws) };
    const labels = tf.argMax(tf.tensor2d(targets.labels, [n, classes]), 1);
    const { groupSize } = this.#loss;
    const frameSnr = channel.gainPower.map((gain, i) => gain / channel.noisePower[i]!);
    const correct = tf.mean(tf.cast(tf.equal(tf.argMax(scores, 1), labels), 'float32'));
    return {
      answer: answerLoss(tf, scores, targets, this.#loss),
      auxiliary: answerLoss(tf, direct, batch, this.#loss).total,
      bits: groupSize > 1 && n > 1 ? informationBoundBits(tf, symbols, frameSnr, groupSize) : tf.scalar(0),
      correct,
    };
  }
}

/** The values, `times` times over. */
function repeated(values: Float32Array, times: number): Float32Array {
  if (times === 1) return values;
  const out = new Float32Array(values.length * times);
  for (let i = 0; i < times; i++) out.set(values, i * values.length);
  return out;
}
