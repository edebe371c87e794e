import type { Counter, Histogram, Registry } from 'prom-client';
import { makeCounter, makeGauge, makeHistogram } from './instruments.js';
import { METRICS } from './names.js';

/** What closed a batch: the engine was free, a size was reached, or frames had waited long enough (tensor/batcher.ts). */
export type BatchClosedBy = 'idle' | 'preferred' | 'full' | 'delay';

/** What one GPU is doing. */
export interface GpuReading {
  /** Its index on this machine. */
  readonly gpu: string;
  readonly memoryUsedBytes: number;
  /** Share of the last moments in which it computed, 0 to 1. */
  readonly busy: number;
}

/** How an engine works. */
export class EngineMetrics {
  readonly #size: Histogram.Internal<never>;
  readonly #batches: Record<BatchClosedBy, Counter.Internal>;
  #tensors: () => number = () => 0;
  #gpus: () => readonly GpuReading[] = () => [];

  constructor(registry: Registry) {
    this.#size = makeHistogram<'batchSize'>(registry, METRICS.batchSize);
    const batches = makeCounter<'batches'>(registry, METRICS.batches);
    const by = (closedBy: BatchClosedBy) => batches.labels({ closed_by: closedBy });
    this.#batches = { idle: by('idle'), preferred: by('preferred'), full: by('full'), delay: by('delay') };
    for (const counter of Object.values(this.#batches)) counter.inc(0);
    makeGauge<'tensorsAlive'>(registry, METRICS.tensorsAlive, (gauge) => gauge.set(this.#tensors()));
    makeGauge<'gpuMemory'>(registry, METRICS.gpuMemory, (gauge) => {
      for (const { gpu, memoryUsedBytes } of this.#gpus()) gauge.set({ gpu }, memoryUsedBytes);
    });
    makeGauge<'gpuBusy'>(registry, METRICS.gpuBusy, (gauge) => {
      for (const { gpu, busy } of this.#gpus()) gauge.set({ gpu }, busy);
    });
  }

  /** One batch handed to the engine. */
  observeBatch(frames: number, closedBy: BatchClosedBy): void {
    this.#size.observe(frames);
    this.#batches[closedBy].inc();
  }

  /** What is looked at at every scrape. */
  track(now: { tensors: () => number; gpus: () => readonly GpuReading[] }): void {
    this.#tensors = now.tensors;
    this.#gpus = now.gpus;
  }
}
