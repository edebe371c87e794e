import type { NetworkSpec } from '../../shared/codec/network.js';
import { type Weights, type WeightTensor, weight } from '../../shared/codec/weights.js';
import type { Tf } from '../../shared/tensor/native.js';
import { type StatelessRandom, statelessRandom } from '../../shared/tensor/stateless-random.js';
import { augmentedBatch, epochOrder, knownBatch, type LabelledImages, type TrainingKnowledge } from './batches.js';
import { type ChannelRange, drawChannels } from './channel-in-loop.js';
import type { DistillerConfig } from './config.js';
import { MIXING_DRAWS, mixBatch } from './mixing.js';
import { learningRateAt, type OptimizerState } from './optimizer.js';
import { type StepReport, TrainingStep } from './step.js';

/** Batches whose mean statistics the published network is normalised with. */
const STATISTICS_BATCHES = 24;
/** Independent random streams; each is indexed by the step (or epoch) besides. */
const STREAM = { initial: 0, order: 1, draws: 2, noise: 3, statistics: 4, mixing: 5 } as const;

/** Uniform variates an image of a batch uses: 3 for augmentation, 4 for its channel. */
const DRAWS = { augmentation: 3, channel: 4 } as const;

/** Parameters that are not published. */
const AUXILIARY = 'auxiliary/';

/** What a run goes by beside its options and images. */
export interface StartingPoint {
  /** State to go on from. */
  resume?: OptimizerState | undefined;
  /** Weights of a published network of the same spec, to begin from; absent: random ones. */
  start?: Weights | undefined;
  /** What a teacher said about the images; absent: training on labels. */
  knowledge?: TrainingKnowledge | undefined;
}

/**
 * A training run that can be stopped after any step: the state is the optimiser's, and every random choice is a
 * function of (seed, step).
 */
export class Trainer {
  /** Share of the steps over which the learning rate rises. */
  static readonly RISE = 0.1;
  readonly steps: number;
  readonly stepsPerEpoch: number;
  readonly #random: StatelessRandom;
  readonly #config: DistillerConfig;
  readonly #images: LabelledImages;
  readonly #range: ChannelRange;
  readonly #classes: number;
  readonly #knowledge: TrainingKnowledge | undefined;
  readonly #graph: TrainingStep;
  #step: number;
  #order: { epoch: number; indices: Uint32Array } = { epoch: -1, indices: new Uint32Array() };

  /** @throws Error naming the weight that `from.start` lacks, or has in another shape */
  constructor(tf: Tf, config: DistillerConfig, spec: NetworkSpec, images: LabelledImages, from: StartingPoint = {}) {
    this.#random = statelessRandom(tf);
    this.#config = config;
    this.#images = images;
    this.#classes = spec.classes;
    this.#range = { ...config, lengths: config.channelUses };
    this.stepsPerEpoch = Math.floor(images.count / config.batchSize);
    this.steps = this.stepsPerEpoch * config.epochs;
    this.#knowledge = from.knowledge;
    this.#graph = new TrainingStep({
      spec,
      loss: {
        smoothing: config.labelSmoothing,
        auxiliary: config.auxiliaryWeight,
        distillation: config.distillation,
        temperature: config.temperature,
        bottleneck: config.bottleneck,
        groupSize: config.groupSize,
      },
      batchSize: config.batchSize,
      draws: config.channelDraws,
      precision: config.precision,
      taught: from.knowledge !== undefined,
      weightDecay: config.weightDecay,
      averageDecay: config.averageDecay,
    });
    this.#step = from.resume?.step ?? 0;
    this.#graph.load(from.resume ?? this.#initial(from.start));
  }

  /** Steps taken. */
  get step(): number {
    return this.#step;
  }

  state(): OptimizerState {
    return { step: this.#step, ...this.#graph.state() };
  }

  /** Takes one step. */
  advance(): StepReport {
    const step = this.#step;
    const { batch, channel } = this.#batch(STREAM.draws, step);
    if (this.#config.cutMix + this.#config.mixup > 0) {
      const draws = this.#uniform(this.#config.batchSize * MIXING_DRAWS, STREAM.mixing, step);
      mixBatch(batch, this.#images, draws, this.#config);
    }
    const rate = learningRateAt(step, this.steps, this.#config.learningRate, Trainer.RISE);
    const report = this.#graph.take(batch, channel, [this.#seed(STREAM.noise), step], step, rate);
    this.#step = step + 1;
    return report;
  }

  /**
   * The moving average of the weights with the mean batch statistics it gives: what is published. A pure function of
   * the state.
   *
   * @param of an average of an earlier state (`state().average`); default: the present one
   */
  average(of: Float32Array = this.#graph.state().average): Weights {
    const sums = new Map<string, Float32Array>();
    for (let i = 0; i < STATISTICS_BATCHES; i++) {
      const { batch } = this.#batch(STREAM.statistics, i);
      for (const [layer, statistics] of this.#graph.statistics(of, batch.rgb)) {
        for (const [kind, values] of Object.entries(statistics)) {
          const name = `${layer}/${kind}`;
          const sum = sums.get(name) ?? new Float32Array(values.length);
          for (let j = 0; j < values.length; j++) sum[j]! += values[j]! / STATISTICS_BATCHES;
          sums.set(name, sum);
        }
      }
    }
    const weights = new Map<string, WeightTensor>();
    for (const [name, part] of this.#graph.parameters.parts(of)) {
      if (!name.startsWith(AUXILIARY)) weights.set(name, part);
    }
    for (const [name, data] of sums) weights.set(name, { shape: [data.length], data });
    return weights;
  }

  /** Frees the graph and its state; nothing can be asked of it afterwards. */
  dispose(): void {
    this.#graph.dispose();
  }

  /** The state before the first step: the given weights, and random ones where there are none (the auxiliary head). */
  #initial(given: Weights | undefined): Omit<OptimizerState, 'step'> {
    const { parameters } = this.#graph;
    const weights = parameters.initial(this.#random, this.#seed(STREAM.initial));
    for (const [name, { shape, data }] of given ? parameters.parts(weights) : []) {
      if (!name.startsWith(AUXILIARY)) data.set(weight(given!, name, shape));
    }
    const zeros = new Float32Array(weights.length);
    return { weights, average: weights, first: zeros, second: zeros };
  }

  #seed(stream: number): number {
    return (Math.imul(this.#config.seed, 8) + stream) | 0;
  }

  #uniform(count: number, stream: number, counter: number): Float32Array {
    return this.#random.uniform(count, this.#seed(stream), counter);
  }

  #batch(stream: number, step: number) {
    const { batchSize } = this.#config;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (this.#order.epoch !== epoch) {
      this.#order = { epoch, indices: epochOrder(this.#uniform(this.#images.count, STREAM.order, epoch)) };
    }
    const at = (step % this.stepsPerEpoch) * batchSize;
    const count = batchSize * (DRAWS.augmentation + DRAWS.channel * this.#config.channelDraws);
    const draws = this.#uniform(count, stream, step);
    const split = batchSize * DRAWS.augmentation;
    const indices = this.#order.indices.subarray(at, at + batchSize);
    const viewDraws = draws.subarray(0, split);
    const batch = this.#knowledge
      ? knownBatch(this.#images, this.#knowledge, indices, viewDraws, this.#config.temperature)
      : augmentedBatch(this.#images, this.#classes, indices, viewDraws);
    return {
      batch,
      channel: drawChannels(draws.subarray(split), this.#range),
    };
  }
}
