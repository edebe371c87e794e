import { type Counter, type Gauge, type Histogram, Registry } from 'prom-client';
import { semlinkVersion } from '../config/version.js';
import { BoundedLabels } from './bounded-labels.js';
import { MemoryMetrics } from './engine-metrics.js';
import { startTelemetryServer } from './http.js';
import { makeCounter, makeGauge, makeHistogram } from './instruments.js';
import { type JobName, METRICS } from './names.js';
import { collectProcessMetrics } from './process-metrics.js';

/** What a job does at the moment. */
export type JobPhase = 'starting' | 'training' | 'looking' | 'calibrating' | 'teaching' | 'done';

// Points come from code; the bound is for bugs.
const POINT_LIMIT = 16;

/** Weight of one step in the averages that a scrape shows: about the last 20 steps count. */
const STEP_WEIGHT = 0.05;

/** What every job reports: how far it is and what it does. */
class JobMetrics {
  readonly registry = new Registry();
  readonly #progress: Gauge;
  readonly #remaining: Gauge;
  readonly #phase: Gauge<'phase'>;
  readonly #phases = new Set<JobPhase>();

  constructor(job: JobName) {
    this.#progress = makeGauge<'jobProgress'>(this.registry, METRICS.jobProgress);
    this.#remaining = makeGauge<'jobRemaining'>(this.registry, METRICS.jobRemaining);
    this.#phase = makeGauge<'jobPhase'>(this.registry, METRICS.jobPhase);
    makeGauge<'buildInfo'>(this.registry, METRICS.buildInfo).set({ service: job, version: semlinkVersion() }, 1);
    collectProcessMetrics(this.registry);
    this.enter('starting');
  }

  enter(phase: JobPhase): void {
    for (const earlier of this.#phases) this.#phase.set({ phase: earlier }, 0);
    this.#phases.add(phase);
    this.#phase.set({ phase }, 1);
  }

  /** @param ratio of the work done, 0 to 1 */
  progress(ratio: number, secondsLeft: number): void {
    this.#progress.set(ratio);
    if (Number.isFinite(secondsLeft)) this.#remaining.set(secondsLeft);
  }
}

/** What one step of training found; nats, bits an image, and a share. */
export interface MeasuredStep {
  readonly task: number;
  readonly auxiliary: number;
  readonly teacher: number;
  readonly bits: number;
  readonly accuracy: number;
}

/** A training run as it is seen from outside. */
export class TrainingMetrics extends JobMetrics {
  readonly #images: Counter;
  readonly #steps: Histogram;
  readonly #epoch: Gauge;
  readonly #epochs: Gauge;
  readonly #loss: Gauge<'term'>;
  readonly #bits: Gauge;
  readonly #accuracy: Gauge;
  readonly #holdout: Gauge<'point'>;
  readonly #learningRate: Gauge;
  /** Tensors and GPUs; say what there is to look at. */
  readonly memory: MemoryMetrics;
  readonly #points = new BoundedLabels(POINT_LIMIT, /^[\w .=-]{1,64}$/);
  #average: MeasuredStep | undefined;

  constructor() {
    super('distiller');
    const { registry } = this;
    this.memory = new MemoryMetrics(registry);
    this.#images = makeCounter<'trainingImages'>(registry, METRICS.trainingImages);
    this.#steps = makeHistogram<'trainingSteps'>(registry, METRICS.trainingSteps);
    this.#epoch = makeGauge<'trainingEpoch'>(registry, METRICS.trainingEpoch);
    this.#epochs = makeGauge<'trainingEpochs'>(registry, METRICS.trainingEpochs);
    this.#loss = makeGauge<'trainingLoss'>(registry, METRICS.trainingLoss);
    this.#bits = makeGauge<'trainingSemanticBits'>(registry, METRICS.trainingSemanticBits);
    this.#accuracy = makeGauge<'trainingAccuracy'>(registry, METRICS.trainingAccuracy);
    this.#holdout = makeGauge<'trainingHoldout'>(registry, METRICS.trainingHoldout);
    this.#learningRate = makeGauge<'trainingLearningRate'>(registry, METRICS.trainingLearningRate);
  }

  /**
   * One step.
   *
   * @param images how many it was over
   * @param epoch epochs done, with the share of the one at hand, of `epochs`
   */
  step(step: MeasuredStep, images: number, seconds: number, epoch: number, epochs: number): void {
    this.#images.inc(images);
    this.#steps.observe(seconds);
    this.#epoch.set(epoch);
    this.#epochs.set(epochs);
    const before = this.#average ?? step;
    const mean = (term: keyof MeasuredStep) => before[term] + STEP_WEIGHT * (step[term] - before[term]);
    const average = {
      task: mean('task'),
      auxiliary: mean('auxiliary'),
      teacher: mean('teacher'),
      bits: mean('bits'),
      accuracy: mean('accuracy'),
    };
    this.#average = average;
    for (const term of ['task', 'auxiliary', 'teacher'] as const) this.#loss.set({ term }, average[term]);
    this.#bits.set(average.bits);
    this.#accuracy.set(average.accuracy);
  }

  /** @param holdout share of held-out images answered right by point, where they were looked at */
  epoch(learningRate: number, holdout: Readonly<Record<string, number>> = {}): void {
    this.#learningRate.set(learningRate);
    for (const [point, accuracy] of Object.entries(holdout)) {
      this.#holdout.set({ point: this.#points.fold(point) }, accuracy);
    }
  }
}

/** A teacher at work as it is seen from outside. */
export class TeachingMetrics extends JobMetrics {
  readonly #views: Counter;

  constructor() {
    super('teacher');
    this.#views = makeCounter<'teachingViews'>(this.registry, METRICS.teachingViews);
  }

  taught(views: number): void {
    this.#views.inc(views);
  }
}

/** Where a job's metrics are served. */
export interface JobTelemetry {
  /** Of /metrics; undefined: nowhere. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

/**
 * Serves the metrics of a job.
 *
 * @param listen `host:port` or `off`
 * @throws Error with a sentence when the address cannot be listened on
 */
export async function startJobTelemetry(
  listen: string,
  { registry }: Pick<JobMetrics, 'registry'>,
): Promise<JobTelemetry> {
  if (listen === 'off') return { url: undefined, close: async () => undefined };
  const server = await startTelemetryServer({ listen, registry, readiness: () => ({ ready: true }) });
  return { url: `${server.url}/metrics`, close: () => server.close() };
}
