import { classScores, imageFeatures, type NetworkSpec, symbolsOf } from '../../shared/codec/network.js';
import { GradientGraph, type Value } from '../../shared/tensor/gradient-graph.js';
import type { Precision } from '../../shared/tensor/gradient-layers.js';
import { GradientOps } from '../../shared/tensor/gradient-ops.js';
import { type Feed, GraphSession } from '../../shared/tensor/graph-session.js';
import { DataType } from '../../shared/tensor/saved-model.js';
import type { Batch } from './batches.js';
import { type BatchChannel, throughTheAir } from './channel-in-loop.js';
import { informationBoundBits } from './information-bound.js';
import { answerLoss, type LossOptions, smoothedLabels } from './loss.js';
import { AdamW, type OptimizerState } from './optimizer.js';
import { Parameters } from './parameters.js';
import { FED, stepFeeds } from './step-feeds.js';
import { TrainingOps } from './training-ops.js';

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

/** What a training graph is written for. */
export interface StepOptions {
  spec: NetworkSpec;
  loss: LossOptions;
  /** Images a step. */
  batchSize: number;
  /** Channels that each image is sent over. */
  draws: number;
  precision: Precision;
  /** Whether a teacher's distributions are fed. */
  taught: boolean;
  weightDecay: number;
  averageDecay: number;
}

/** Nodes that are fetched. */
const FETCHED = { report: 'report', step: 'step', gradient: 'gradient', statistics: 'statistics' } as const;

/**
 * The whole training step as one TensorFlow graph, run in one call: the pair with the channel in the loop, the losses,
 * their gradient and the optimiser. Weights and the optimiser's state stay in its session.
 */
export class TrainingStep {
  readonly parameters: Parameters;
  readonly #options: StepOptions;
  readonly #optimizer: AdamW;
  readonly #session: GraphSession;
  readonly #layers: { layer: string; filters: number }[];

  constructor(options: StepOptions) {
    this.#options = options;
    const ops = new GradientOps(new GradientGraph());
    this.parameters = new Parameters(ops);
    const training = new TrainingOps(ops, this.parameters, options.precision);
    const { loss, report } = this.#forward(ops, training);
    const { graph } = ops;
    this.#optimizer = new AdamW(ops, this.parameters.size, options);
    this.parameters.define(this.#optimizer.weights);
    const flat = this.parameters.flat(graph.gradient(loss, this.parameters.values()));
    const gradient = graph.node('Identity', [flat], flat.shape, { name: FETCHED.gradient });
    const applied = this.#optimizer.apply(gradient, this.parameters.decayMask());
    graph.node('Identity', [report], report.shape, { name: FETCHED.step, after: [applied] });
    this.#layers = training.statistics.map(({ layer, mean }) => ({ layer, filters: mean.shape[0]! }));
    const statistics = ops.concat(
      training.statistics.flatMap(({ mean, variance }) => [mean, variance]),
      0,
    );
    graph.node('Identity', [statistics], statistics.shape, { name: FETCHED.statistics });
    this.#session = new GraphSession(graph.finish());
  }

  load(state: Omit<OptimizerState, 'step'>): void {
    this.#optimizer.load(this.#session, state);
  }

  state(): Omit<OptimizerState, 'step'> {
    return this.#optimizer.state(this.#session);
  }

  /**
   * Takes one step.
   *
   * @param noiseKey seed and counter of the batch's channel noise
   * @param step its number, from 0
   */
  take(
    batch: Batch,
    channel: BatchChannel,
    noiseKey: [number, number],
    step: number,
    learningRate: number,
  ): StepReport {
    const feeds = [...this.#feeds(batch, channel, noiseKey), this.#optimizer.feed(step, learningRate)];
    const [terms] = this.#session.run(feeds, [FETCHED.step]);
    return reportOf(terms!);
  }

  /** Loss gradient of a batch at some weights, as one vector in the parameters' order; takes no step. */
  gradient(
    weights: Float32Array,
    batch: Batch,
    channel: BatchChannel,
    noiseKey: [number, number],
  ): { gradient: Float32Array; report: StepReport } {
    const feeds = [...this.#feeds(batch, channel, noiseKey), this.#at(weights)];
    const [terms, gradient] = this.#session.run(feeds, [FETCHED.report, FETCHED.gradient]);
    return { gradient: gradient!, report: reportOf(terms!) };
  }

  /** Statistics of a batch in each normalised layer, at some weights. */
  statistics(weights: Float32Array, rgb: Float32Array): Map<string, { mean: Float32Array; variance: Float32Array }> {
    const { spec, batchSize } = this.#options;
    const feeds = [{ node: FED.rgb, shape: [batchSize, spec.height, spec.width, 3], data: rgb }, this.#at(weights)];
    const [values] = this.#session.run(feeds, [FETCHED.statistics]);
    let at = 0;
    const next = (count: number) => {
      at += count;
      return values!.subarray(at - count, at);
    };
    return new Map(this.#layers.map(({ layer, filters }) => [layer, { mean: next(filters), variance: next(filters) }]));
  }

  /** Frees the graph and its state. */
  dispose(): void {
    this.#session.dispose();
  }

  #at = (weights: Float32Array): Feed => ({
    node: this.#optimizer.weights.node,
    shape: [weights.length],
    data: weights,
  });

  #feeds(batch: Batch, channel: BatchChannel, noiseKey: [number, number]): Feed[] {
    const { spec, loss } = this.#options;
    return stepFeeds(spec, batch, channel, noiseKey, { grouped: loss.groupSize > 1 });
  }

  #forward(ops: GradientOps, training: TrainingOps): { loss: Value; report: Value } {
    const { spec, loss: options, batchSize, draws, taught } = this.#options;
    const { graph } = ops;
    const { width, height, classes } = spec;
    // Each image is sent several times, over channels of their own: the encoder's costly part is run once for all.
    const n = batchSize * draws;
    const column = (name: string) => graph.placeholder(name, DataType.float32, [n, 1]);
    const rgb = graph.placeholder(FED.rgb, DataType.float32, [batchSize, height, width, 3]);
    const labels = graph.placeholder(FED.labels, DataType.float32, [batchSize, classes]);
    const k = column(FED.channelUses);
    const features = imageFeatures<Value>(training, spec, rgb);
    const symbols = symbolsOf<Value>(training, spec, ops.tile(features, draws), column(FED.averageSnrDb), k);
    const noise = graph.node(
      'StatelessRandomNormal',
      [graph.ints(...symbols.shape), graph.placeholder(FED.noiseKey, DataType.int32, [2])],
      symbols.shape,
      { attributes: { dtype: FLOAT, T: INT, Tseed: INT } },
    );
    const air = { signal: column(FED.signal), disturbance: column(FED.disturbance) };
    const received = throughTheAir(ops, symbols, air, k, noise);
    const scores = classScores<Value>(training, spec, received, column(FED.frameSnrDb), k);
    const direct = training.dense(features, 'auxiliary', classes);
    const targets = {
      labels: smoothedLabels(ops, labels, options.smoothing),
      teacher: taught ? graph.placeholder(FED.teacher, DataType.float32, [batchSize, classes]) : undefined,
    };
    const sent = {
      labels: ops.tile(targets.labels, draws),
      teacher: targets.teacher && ops.tile(targets.teacher, draws),
    };
    const answer = answerLoss(ops, scores, sent, options);
    const auxiliary = answerLoss(ops, direct, targets, options).total;
    const grouped = options.groupSize > 1 && n > 1;
    const bits = grouped
      ? informationBoundBits(ops, symbols, column(FED.frameSnr), options.groupSize)
      : graph.scalar(0);
    const loss = ops.add(answer.total, ops.scaled(auxiliary, options.auxiliary));
    const terms = [
      answer.labels,
      auxiliary,
      answer.teacher ?? graph.scalar(0),
      bits,
      shareRight(ops, scores, ops.tile(labels, draws)),
    ];
    return {
      // Without its weight the bound is only watched: no gradient is spent on it.
      loss: options.bottleneck > 0 ? ops.add(loss, ops.scaled(bits, options.bottleneck)) : loss,
      report: graph.node('Pack', terms, [terms.length], {
        name: FETCHED.report,
        attributes: { T: FLOAT, N: { int: terms.length }, axis: { int: 0 } },
      }),
    };
  }
}

const FLOAT = { type: DataType.float32 } as const;
const INT = { type: DataType.int32 } as const;

/** Share of rows whose greatest score is where the target's greatest part is. */
function shareRight(ops: GradientOps, scores: Value, targets: Value): Value {
  const { graph } = ops;
  const best = (of: Value) =>
    graph.node('ArgMax', [of, graph.constant([], Int32Array.of(1))], [of.shape[0]!], {
      attributes: { T: FLOAT, Tidx: INT, output_type: INT },
    });
  const right = graph.node('Equal', [best(scores), best(targets)], [scores.shape[0]!], { attributes: { T: INT } });
  return ops.mean(ops.cast(right, DataType.bool, DataType.float32), [0]);
}

function reportOf(terms: Float32Array): StepReport {
  const [task, auxiliary, teacher, bits, accuracy] = terms as unknown as [number, number, number, number, number];
  return { task, auxiliary, teacher, bits, accuracy };
}
