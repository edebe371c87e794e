import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import type { NetworkSpec } from '../../shared/codec/network.js';
import { type Weights, type WeightTensor, weight } from '../../shared/codec/weights.js';
import { convolutions } from '../../shared/tensor/convolution.js';
import { type FusedOps, fusedOps } from '../../shared/tensor/fused.js';
import type { Tf } from '../../shared/tensor/native.js';
import { augmentedBatch, epochOrder, knownBatch, type LabelledImages, type TrainingKnowledge } from './batches.js';
import { type ChannelRange, drawChannels } from './channel-in-loop.js';
import type { DistillerConfig } from './config.js';
import { MIXING_DRAWS, mixBatch } from './mixing.js';
import { AdamW, learningRateAt, type OptimizerState } from './optimizer.js';
import { Parameters } from './parameters.js';
import { type StepReport, TrainingPair } from './step.js';
import { TrainingOps } from './training-ops.js';

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
  readonly #tf: Tf;
  readonly #fused: FusedOps;
  readonly #config: DistillerConfig;
  readonly #images: LabelledImages;
  readonly #range: ChannelRange;
  readonly #classes: number;
  readonly #knowledge: TrainingKnowledge | undefined;
  readonly #parameters: Parameters;
  readonly #ops: TrainingOps;
  readonly #pair: TrainingPair;
  readonly #optimizer: AdamW;
  #order: { epoch: number; indices: Uint32Array } = { epoch: -1, indices: new Uint32Array() };

  /** @throws Error naming the weight that `from.start` lacks, or has in another shape */
  constructor(tf: Tf, config: DistillerConfig, spec: NetworkSpec, images: LabelledImages, from: StartingPoint = {}) {
    this.#tf = tf;
    this.#fused = fusedOps(tf);
    this.#config = config;
    this.#images = images;
    this.#classes = spec.classes;
    this.#range = { ...config, lengths: config.channelUses };
    this.stepsPerEpoch = Math.floor(images.count / config.batchSize);
    this.steps = this.stepsPerEpoch * config.epochs;
    this.#parameters = new Parameters(tf, this.#fused, this.#seed(STREAM.initial));
    this.#ops = new TrainingOps(tf, this.#fused, convolutions(tf, config.precision), this.#parameters);
    this.#knowledge = from.knowledge;
    const loss = {
      smoothing: config.labelSmoothing,
      auxiliary: config.auxiliaryWeight,
      distillation: config.distillation,
      temperature: config.temperature,
      bottleneck: config.bottleneck,
      groupSize: config.groupSize,
    };
    this.#pair = new TrainingPair(tf, this.#fused, this.#ops, spec, loss);
    this.#pair.build();
    const start = from.resume ?? this.#initial(from.start);
    this.#optimizer = new AdamW(tf, start, this.#parameters.decayMask(), config);
    this.#use(this.#optimizer.weights);
  }

  /** Steps taken. */
  get step(): number {
    return this.#optimizer.step;
  }

  state(): OptimizerState {
    return this.#optimizer.state();
  }

  /** Takes one step. */
  advance(): StepReport {
    const step = this.#optimizer.step;
    const { batch, channel } = this.#batch(STREAM.draws, step);
    if (this.#config.cutMix + this.#config.mixup > 0) {
      const draws = this.#uniform(this.#config.batchSize * MIXING_DRAWS, STREAM.mixing, step);
      mixBatch(batch, this.#images, draws, this.#config);
    }
    const { gradient, report } = this.#pair.gradient(this.#parameters, batch, channel, [
      this.#seed(STREAM.noise),
      step,
    ]);
    this.#optimizer.apply(gradient, learningRateAt(step, this.steps, this.#config.learningRate, Trainer.RISE));
    gradient.dispose();
    this.#use(this.#optimizer.weights);
    return report;
  }

  /**
   * The moving average of the weights with the mean batch statistics it gives: what is published. A pure function of
   * the state.
   *
   * @param of an average of an earlier state (`state().average`); default: the present one
   */
  average(of?: Float32Array): Weights {
    const tf = this.#tf;
    const flat = of ? tf.tensor1d(of) : this.#optimizer.average;
    this.#use(flat);
    if (of) flat.dispose();
    const sums = new Map<string, { mean: Float32Array; variance: Float32Array }>();
    this.#ops.onStatistics = (layer, mean, variance) => {
      const sum = sums.get(layer) ?? {
        mean: new Float32Array(mean.size),
        variance: new Float32Array(variance.size),
      };
      mean.dataSync().forEach((value, i) => {
        sum.mean[i]! += value / STATISTICS_BATCHES;
      });
      variance.dataSync().forEach((value, i) => {
        sum.variance[i]! += value / STATISTICS_BATCHES;
      });
      sums.set(layer, sum);
    };
    for (let i = 0; i < STATISTICS_BATCHES; i++) {
      tf.tidy(() => {
        this.#pair.features(this.#batch(STREAM.statistics, i).batch);
      });
    }
    this.#ops.onStatistics = undefined;
    const weights = new Map<string, WeightTensor>();
    const tensors = this.#parameters.tensors();
    this.#parameters.entries.forEach(({ name, shape }, i) => {
      if (!name.startsWith(AUXILIARY)) weights.set(name, { shape, data: tensors[i]!.dataSync<'float32'>() });
    });
    for (const [layer, { mean, variance }] of sums) {
      weights.set(`${layer}/mean`, { shape: [mean.length], data: mean });
      weights.set(`${layer}/variance`, { shape: [variance.length], data: variance });
    }
    this.#use(this.#optimizer.weights);
    return weights;
  }

  /** All parameters as one vector: the given weights, and as made where there are none: the auxiliary head. */
  #initial(given: Weights | undefined): Float32Array {
    const flat = this.#parameters.flatten(this.#parameters.tensors());
    const values = flat.dataSync<'float32'>();
    flat.dispose();
    let at = 0;
    for (const { name, shape, size } of given ? this.#parameters.entries : []) {
      if (!name.startsWith(AUXILIARY)) values.set(weight(given!, name, shape), at);
      at += size;
    }
    return values;
  }

  #use(flat: Tensor): void {
    const old = this.#parameters.tensors();
    this.#parameters.use(this.#parameters.unflatten(flat));
    this.#tf.dispose(old);
  }

  #seed(stream: number): number {
    return (Math.imul(this.#config.seed, 8) + stream) | 0;
  }

  #uniform(count: number, stream: number, counter: number): Float32Array {
    const tensor = this.#fused.statelessUniform([count], this.#seed(stream), counter);
    const values = tensor.dataSync<'float32'>();
    tensor.dispose();
    return values;
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
