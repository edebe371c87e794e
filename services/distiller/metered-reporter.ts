import type { TrainingMetrics } from '../../shared/telemetry/index.js';
import type { EpochRecord } from './record.js';
import type { TrainingPhase, TrainingReporter, TrainingStep } from './train.js';

/** Tells another reporter everything, and the metrics what they are about. */
export class MeteredReporter implements TrainingReporter {
  readonly #other: TrainingReporter;
  readonly #metrics: TrainingMetrics;
  readonly #batchSize: number;
  /** Step and time, ms, since which this sitting's rate is taken. */
  #since: { step: number; time: number } | undefined;

  constructor(other: TrainingReporter, metrics: TrainingMetrics, batchSize: number) {
    this.#other = other;
    this.#metrics = metrics;
    this.#batchSize = batchSize;
  }

  say(sentence: string): void {
    this.#other.say(sentence);
  }

  progress(text: string): void {
    this.#other.progress(text);
  }

  epoch(record: EpochRecord, secondsLeft: number): void {
    this.#metrics.epoch(record.learningRate, record.holdout);
    this.#other.epoch(record, secondsLeft);
  }

  phase(phase: TrainingPhase): void {
    this.#metrics.enter(phase);
    this.#other.phase?.(phase);
  }

  step(taken: TrainingStep): void {
    const { report, step, steps, stepsPerEpoch, seconds } = taken;
    this.#metrics.step(report, this.#batchSize, seconds, step / stepsPerEpoch, steps / stepsPerEpoch);
    const now = performance.now();
    // The first step is slow (TensorFlow sets itself up) and counts for nothing.
    this.#since ??= { step, time: now };
    const secondsAStep = (now - this.#since.time) / 1e3 / (step - this.#since.step);
    this.#metrics.progress(step / steps, step === steps ? 0 : (steps - step) * secondsAStep);
    this.#other.step?.(taken);
  }
}
