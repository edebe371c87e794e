import path from 'node:path';
import { type PublishedModel, publishModel } from '../../shared/codec/model-folder.js';
import { pushModel, storedVersions } from '../../shared/codec/model-store.js';
import { type Cifar10Images, loadCifar10 } from '../../shared/data/cifar10.js';
import { type KnowledgeStore, openStore } from '../../shared/knowledge/store.js';
import { ATTRIBUTES, type JobSpan, SPANS } from '../../shared/telemetry/index.js';
import { loadTensorFlow } from '../../shared/tensor/native.js';
import { calibrate } from './calibrate.js';
import { CheckpointFile } from './checkpoint.js';
import { type DistillerConfig, modelName } from './config.js';
import { EarlyStop } from './early-stop.js';
import { look, lookText, withFrozen } from './looks.js';
import { learningRateAt } from './optimizer.js';
import { manifestOf } from './publication.js';
import { type EpochRecord, TrainingRecord } from './record.js';
import { networkSpec } from './sizes.js';
import { loadStartModel } from './start-model.js';
import type { StepReport } from './step.js';
import { loadKnowledge } from './stored-knowledge.js';
import { Trainer } from './trainer.js';

/** What a run tells while it goes on. */
export interface TrainingReporter {
  /** A sentence worth a line of its own. */
  say(sentence: string): void;
  /** Progress of the step at hand; replaced by the next. */
  progress(text: string): void;
  epoch(record: EpochRecord, secondsLeft: number): void;
  /** What the run does from now on. */
  phase?(phase: TrainingPhase): void;
  /** One step taken. */
  step?(step: TrainingStep): void;
}

export type TrainingPhase = 'training' | 'looking' | 'calibrating' | 'done';

export interface TrainingStep {
  readonly report: StepReport;
  /** Of the run, of all sittings. */
  readonly step: number;
  readonly steps: number;
  readonly stepsPerEpoch: number;
  /** Of this step. */
  readonly seconds: number;
}

/**
 * Trains, calibrates and publishes a codec pair, in a store too where `publishTo` names one. Goes on from the last
 * checkpoint where there is one; `stop` ends it after the step at hand, with a checkpoint.
 *
 * @param job the span of the run, under which its parts have theirs
 * @returns the published model, or undefined when it was stopped
 * @throws Error before the first step when the store of `publishTo` is not reached
 */
export async function train(
  config: DistillerConfig,
  reporter: TrainingReporter,
  stop: AbortSignal,
  job: JobSpan,
): Promise<PublishedModel | undefined> {
  const store = config.publishTo ? await openTarget(config.publishTo, config) : undefined;
  try {
    return await trainInto(store, config, reporter, stop, job);
  } finally {
    store?.close();
  }
}

/** Asked something at once: a store that says no after hours of training is found too late. */
async function openTarget(url: string, { s3 }: DistillerConfig): Promise<KnowledgeStore> {
  const store = await openStore(url, s3);
  await storedVersions(store);
  return store;
}

async function trainInto(
  store: KnowledgeStore | undefined,
  config: DistillerConfig,
  reporter: TrainingReporter,
  stop: AbortSignal,
  job: JobSpan,
): Promise<PublishedModel | undefined> {
  const folder = path.join(config.work, modelName(config));
  const [training, holdout] = await Promise.all([loadCifar10('train'), loadCifar10('holdout')]);
  const knowledge = config.knowledge ? await readKnowledge(config.knowledge, training, config, job) : undefined;
  const spec = networkSpec(config);
  const start = config.startFrom ? await loadStartModel(config.startFrom, config.models, spec) : undefined;
  const origins = { knowledge: knowledge?.origin, start: start?.origin };
  const checkpoints = new CheckpointFile(folder, config, origins);
  if (config.fresh) await checkpoints.remove();
  const resume = await checkpoints.read();
  const images = { ...training, rgb: training.images, count: config.images };
  if (knowledge) reporter.say(`learning from ${knowledge.origin.teacher}: ${knowledge.views} stored views an image`);
  const from = { resume: resume?.optimizer, start: start?.weights, knowledge };
  const trainer = new Trainer(loadTensorFlow(), config, spec, images, from);
  const record = new TrainingRecord(folder);
  await record.truncate(trainer.step);
  if (resume) reporter.say(`going on from step ${trainer.step} of ${trainer.steps}`);
  else if (start) {
    reporter.phase?.('looking');
    const accuracies = lookText(await look(trainer.average(), spec, holdout));
    reporter.say(`begins from ${start.origin.model}  held-out: ${accuracies}`);
  }

  const clock = new Stopwatch(resume?.seconds ?? 0);
  const early = new EarlyStop(config.patience, resume?.early);
  const save = () =>
    checkpoints.write({
      optimizer: trainer.state(),
      seconds: clock.seconds,
      early: early.best && { best: early.best, inVain: early.inVain },
    });
  while (trainer.step < trainer.steps && !early.reached) {
    reporter.phase?.('training');
    const finished = await job.during(SPANS.epoch, {}, async (span) => {
      const epoch = await runEpoch(trainer, config, reporter, stop);
      if (epoch && (epoch.epoch === config.epochs || epoch.epoch % config.lookEpochs === 0)) {
        reporter.phase?.('looking');
        epoch.holdout = await look(trainer.average(), spec, holdout);
        early.see(epoch.epoch, Object.values(epoch.holdout), () => trainer.state().average);
      }
      await save();
      span.set(epoch ? attributesOf(epoch) : { [ATTRIBUTES.step]: trainer.step, [ATTRIBUTES.outcome]: 'stopped' });
      return epoch;
    });
    if (!finished) return undefined;
    await record.append(finished);
    const rate = (trainer.step - (resume?.optimizer.step ?? 0)) / clock.secondsOfThisSitting;
    reporter.epoch(finished, (trainer.steps - trainer.step) / rate);
  }
  if (early.reached) reporter.say(`stopped early: nothing gained since epoch ${early.best!.epoch}, which is published`);
  reporter.phase?.('calibrating');
  reporter.say('calibrating on the held-out images');
  const weights = trainer.average(early.best?.average);
  const judges = { ...holdout, count: config.calibrationImages };
  judges.labels = judges.labels.subarray(0, judges.count);
  const calibration = await job.during(SPANS.calibrate, { [ATTRIBUTES.images]: judges.count }, (span) =>
    withFrozen(weights, spec, (pair) =>
      calibrate({ ...pair, network: spec }, judges, config.channelUses, (done, total) => {
        if (done === total) span.set({ [ATTRIBUTES.points]: total });
        reporter.progress(`calibration ${done}/${total} points`);
      }),
    ),
  );
  const epochs = early.best?.epoch ?? config.epochs;
  const steps = epochs * trainer.stepsPerEpoch;
  const run = { config, spec, calibration, epochs, steps, seconds: clock.seconds, ...origins };
  const manifest = manifestOf(run);
  const model = await job.during(SPANS.publishModel, { [ATTRIBUTES.modelVersion]: manifest.version }, async () => {
    const published = await publishModel(config.models, manifest, weights);
    if (store) await pushModel(store, published, false);
    return published;
  });
  reporter.phase?.('done');
  reporter.say(`published ${model.folder}`);
  if (store) reporter.say(`${manifest.version}: stored in ${store.url}`);
  return model;
}

async function readKnowledge(url: string, training: Cifar10Images, config: DistillerConfig, job: JobSpan) {
  const { images, s3, tls } = config;
  return job.during(SPANS.readKnowledge, { [ATTRIBUTES.knowledgeSet]: url }, async (span) => {
    const knowledge = await loadKnowledge(url, training, images, { s3, tls, traceparent: span.traceparent });
    const { teacher, views } = knowledge.origin;
    span.set({ [ATTRIBUTES.teacher]: teacher, [ATTRIBUTES.views]: views, [ATTRIBUTES.images]: images });
    return knowledge;
  });
}

function attributesOf({ epoch, step, loss, semanticBits, accuracy, imagesPerSecond }: EpochRecord) {
  return {
    [ATTRIBUTES.epoch]: epoch,
    [ATTRIBUTES.step]: step,
    [ATTRIBUTES.loss]: loss.task,
    [ATTRIBUTES.semanticBits]: semanticBits,
    [ATTRIBUTES.accuracy]: accuracy,
    [ATTRIBUTES.imagesPerSecond]: imagesPerSecond,
  };
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
    const begun = performance.now();
    const report = trainer.advance();
    const seconds = (performance.now() - begun) / 1e3;
    reporter.step?.({
      report,
      step: trainer.step,
      steps: trainer.steps,
      stepsPerEpoch: trainer.stepsPerEpoch,
      seconds,
    });
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
