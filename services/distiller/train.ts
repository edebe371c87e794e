import path from 'node:path';
import {
  type CodecPair,
  type EvaluationPoint,
  evaluateLink,
  type LabelledImages,
} from '../../shared/codec/link-evaluation.js';
import type { Manifest } from '../../shared/codec/manifest.js';
import { type PublishedModel, publishModel } from '../../shared/codec/model-folder.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import { decoderCost, encoderCost, type NetworkCost } from '../../shared/codec/network-cost.js';
import { semlinkVersion } from '../../shared/config/index.js';
import { CIFAR10_CLASS_NAMES, loadCifar10 } from '../../shared/data/cifar10.js';
import { loadTensorFlow, nativeBackend } from '../../shared/tensor/native.js';
import { calibrate } from './calibrate.js';
import { CheckpointFile } from './checkpoint.js';
import { type DistillerConfig, modelName } from './config.js';
import { FrozenPair } from './frozen-pair.js';
import { learningRateAt } from './optimizer.js';
import { type EpochRecord, TrainingRecord } from './record.js';
import type { StepReport } from './step.js';
import { type LoadedKnowledge, loadKnowledge } from './stored-knowledge.js';
import { Trainer } from './trainer.js';

/** Limits of the encoder: s 0.1 M parameters and 8 MFLOP an image, m 0.35 M and 25, l 1 M and 90. */
const SIZES: Record<DistillerConfig['size'], Pick<NetworkSpec, 'stages' | 'conditionUnits' | 'decoderUnits'>> = {
  s: { stages: [16, 32, 56], conditionUnits: 16, decoderUnits: 256 },
  m: { stages: [32, 48, 96], conditionUnits: 32, decoderUnits: 256 },
  l: { stages: [64, 96, 160], conditionUnits: 32, decoderUnits: 256 },
};

/** Sizes of the codec to be trained. */
export function networkSpec(config: DistillerConfig): NetworkSpec {
  return {
    width: 32,
    height: 32,
    classes: CIFAR10_CLASS_NAMES.length,
    maxChannelUses: config.channelUses.at(-1)!,
    ...SIZES[config.size],
  };
}

/** Points at which a run in progress is judged, and the epochs between. */
const WATCHED: Record<string, EvaluationPoint> = {
  'awgn 10 dB k=32': { channel: { model: 'awgn', snrDb: 10 }, channelUses: 32 },
  'awgn 10 dB k=8': { channel: { model: 'awgn', snrDb: 10 }, channelUses: 8 },
  'awgn -6 dB k=64': { channel: { model: 'awgn', snrDb: -6 }, channelUses: 64 },
  'rayleigh-block 10 dB k=32': {
    channel: { model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 },
    channelUses: 32,
  },
};
const EPOCHS_BETWEEN_LOOKS = 4;
const LOOK_SEED = 7;

/** What a run tells while it goes on. */
export interface TrainingReporter {
  /** A sentence worth a line of its own. */
  say(sentence: string): void;
  /** Progress of the step at hand; replaced by the next. */
  progress(text: string): void;
  epoch(record: EpochRecord, secondsLeft: number): void;
}

/**
 * Trains, calibrates and publishes a codec pair. Goes on from the last checkpoint where there is one; `stop` ends it
 * after the step at hand, with a checkpoint.
 *
 * @returns the published model, or undefined when it was stopped
 */
export async function train(
  config: DistillerConfig,
  reporter: TrainingReporter,
  stop: AbortSignal,
): Promise<PublishedModel | undefined> {
  const folder = path.join(config.work, modelName(config));
  const checkpoints = new CheckpointFile(folder, config);
  if (config.fresh) await checkpoints.remove();
  const [training, holdout] = await Promise.all([loadCifar10('train'), loadCifar10('holdout')]);
  const spec = networkSpec(config);
  const resume = await checkpoints.read();
  const images = { ...training, rgb: training.images, count: config.images };
  const knowledge = config.knowledge ? await loadKnowledge(config.knowledge, training, config.images) : undefined;
  if (knowledge) reporter.say(`learning from ${knowledge.origin.teacher}: ${knowledge.views} stored views an image`);
  const trainer = new Trainer(loadTensorFlow(), config, spec, images, { resume: resume?.optimizer, knowledge });
  const record = new TrainingRecord(folder);
  await record.truncate(trainer.step);
  if (resume) reporter.say(`going on from step ${trainer.step} of ${trainer.steps}`);

  const clock = new Stopwatch(resume?.seconds ?? 0);
  const save = () => checkpoints.write({ optimizer: trainer.state(), seconds: clock.seconds });
  while (trainer.step < trainer.steps) {
    const finished = await runEpoch(trainer, config, reporter, stop);
    await save();
    if (!finished) return undefined;
    const lastEpoch = finished.epoch === config.epochs;
    if (lastEpoch || finished.epoch % EPOCHS_BETWEEN_LOOKS === 0) {
      finished.holdout = await look(trainer, spec, holdout);
    }
    await record.append(finished);
    const rate = (trainer.step - (resume?.optimizer.step ?? 0)) / clock.secondsOfThisSitting;
    reporter.epoch(finished, (trainer.steps - trainer.step) / rate);
  }
  reporter.say('calibrating on the held-out images');
  const model = await withFrozen(trainer, spec, (pair) =>
    calibrate({ ...pair, network: spec }, holdout, config.channelUses, (done, total) =>
      reporter.progress(`calibration ${done}/${total} points`),
    ),
  ).then((calibration) =>
    publishModel(
      config.models,
      manifestOf(config, spec, trainer, calibration, { seconds: clock.seconds, knowledge: knowledge?.origin }),
      trainer.average(),
    ),
  );
  reporter.say(`published ${model.folder}`);
  return model;
}

/** One epoch, or the rest of it after a resume in its middle; undefined when stopped. */
async function runEpoch(
  trainer: Trainer,
  config: DistillerConfig,
  reporter: TrainingReporter,
  stop: AbortSignal,
): Promise<EpochRecord | undefined> {
  const sums: StepReport = { task: 0, auxiliary: 0, teacher: 0, bits: 0, accuracy: 0 };
  const clock = new Stopwatch(0);
  let steps = 0;
  do {
    const report = trainer.advance();
    steps++;
    for (const term of Object.keys(sums) as (keyof StepReport)[]) sums[term] += report[term];
    const at = trainer.step % trainer.stepsPerEpoch || trainer.stepsPerEpoch;
    reporter.progress(`epoch ${epochOf(trainer)}/${config.epochs} step ${at}/${trainer.stepsPerEpoch}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (stop.aborted) return undefined;
  } while (trainer.step % trainer.stepsPerEpoch !== 0);
  return {
    epoch: epochOf(trainer),
    step: trainer.step,
    loss: { task: sums.task / steps, auxiliary: sums.auxiliary / steps, teacher: sums.teacher / steps },
    semanticBits: sums.bits / steps,
    accuracy: sums.accuracy / steps,
    imagesPerSecond: (steps * config.batchSize) / clock.seconds,
    learningRate: learningRateAt(trainer.step - 1, trainer.steps, config.learningRate, Trainer.RISE),
  };
}

const epochOf = (trainer: Trainer) => Math.ceil(trainer.step / trainer.stepsPerEpoch);

async function look(trainer: Trainer, spec: NetworkSpec, holdout: LabelledImages): Promise<Record<string, number>> {
  const names = Object.keys(WATCHED);
  const accuracy = await withFrozen(trainer, spec, (pair) =>
    evaluateLink({ ...pair, network: spec }, holdout, Object.values(WATCHED), { seed: LOOK_SEED }),
  );
  return Object.fromEntries(names.map((name, i) => [name, accuracy[i]!]));
}

async function withFrozen<T>(
  trainer: Trainer,
  spec: NetworkSpec,
  use: (pair: Pick<CodecPair, 'encoder' | 'decoder'>) => Promise<T>,
): Promise<T> {
  const pair = await FrozenPair.of(spec, trainer.average());
  try {
    return await use({ encoder: pair.encoder, decoder: pair.decoder });
  } finally {
    pair.dispose();
  }
}

function manifestOf(
  config: DistillerConfig,
  spec: NetworkSpec,
  trainer: Trainer,
  calibration: Manifest['calibration'],
  made: { seconds: number; knowledge: LoadedKnowledge['origin'] | undefined },
): Omit<Manifest, 'files'> {
  const cost = ({ parameters, flop }: NetworkCost) => ({ parameters, mflop: Number((flop / 1e6).toFixed(3)) });
  const name = modelName(config);
  const {
    name: _name,
    models: _models,
    work: _work,
    fresh: _fresh,
    seed,
    epochs,
    batchSize,
    threads,
    ...options
  } = config;
  return {
    format: 'semlink-model/1',
    version: name,
    dataset: 'cifar10',
    classNames: [...CIFAR10_CLASS_NAMES],
    network: spec,
    channelUses: [...config.channelUses],
    cost: { encoder: cost(encoderCost(spec)), decoder: cost(decoderCost(spec)) },
    calibration,
    training: {
      command: `semlink ${made.knowledge ? 'distill' : 'train'} --name ${name} --seed ${seed} --epochs ${epochs}`,
      seed,
      split: 'train',
      images: config.images,
      epochs,
      batchSize,
      steps: trainer.steps,
      seconds: Math.round(made.seconds),
      threads,
      software: {
        semlink: semlinkVersion(),
        node: process.versions.node,
        tensorflow: nativeBackend(loadTensorFlow()).binding.TF_Version,
      },
      options,
      ...(made.knowledge && { knowledge: made.knowledge }),
    },
  };
}

/** Seconds over several sittings. */
class Stopwatch {
  readonly #before: number;
  readonly #start = performance.now();

  constructor(before: number) {
    this.#before = before;
  }

  get secondsOfThisSitting(): number {
    return (performance.now() - this.#start) / 1e3;
  }

  get seconds(): number {
    return this.#before + this.secondsOfThisSitting;
  }
}
