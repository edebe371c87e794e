import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { GpuReading } from './gpu-watch.js';
import { makeCounter, makeGauge, makeHistogram } from './instruments.js';
import { METRICS } from './names.js';

/** What closed a batch: the engine was free, a size was reached, or frames had waited long enough (tensor/batcher.ts). */
export type BatchClosedBy = 'idle' | 'preferred' | 'full' | 'delay';

/** How an engine works. */
export class EngineMetrics {
  readonly #size: Histogram.Internal<never>;
  readonly #batches: Record<BatchClosedBy, Counter.Internal>;
  readonly #info: Gauge<'backend' | 'device'>;
  readonly #memory: MemoryMetrics;

  constructor(registry: Registry) {
    this.#info = makeGauge<'engineInfo'>(registry, METRICS.engineInfo);
    this.#size = makeHistogram<'batchSize'>(registry, METRICS.batchSize);
    const batches = makeCounter<'batches'>(registry, METRICS.batches);
    const by = (closedBy: BatchClosedBy) => batches.labels({ closed_by: closedBy });
    this.#batches = { idle: by('idle'), preferred: by('preferred'), full: by('full'), delay: by('delay') };
    for (const counter of Object.values(this.#batches)) counter.inc(0);
    this.#memory = new MemoryMetrics(registry);
  }

  /** Say once what computes the models, and on what. */
  runsOn(backend: string, device: 'cpu' | 'gpu'): void {
    this.#info.set({ backend, device }, 1);
  }

  /** One batch handed to the engine. */
  observeBatch(frames: number, closedBy: BatchClosedBy): void {
    this.#size.observe(frames);
    this.#batches[closedBy].inc();
  }

  /** What is looked at at every scrape. */
  track(now: MemoryInUse): void {
    this.#memory.track(now);
  }
}

/** What holds memory besides the heap. */
export interface MemoryInUse {
  /** Tensors alive. */
  tensors: () => number;
  gpus: () => readonly GpuReading[];
}

/** Tensors and GPUs, of whatever uses TensorFlow. */
export class MemoryMetrics {
  #now: MemoryInUse = { tensors: () => 0, gpus: () => [] };

  constructor(registry: Registry) {
    makeGauge<'tensorsAlive'>(registry, METRICS.tensorsAlive, (gauge) => gauge.set(this.#now.tensors()));
    makeGauge<'gpuMemory'>(registry, METRICS.gpuMemory, (gauge) => {
      for (const { gpu, memoryUsedBytes } of this.#now.gpus()) gauge.set({ gpu }, memoryUsedBytes);
    });
    makeGauge<'gpuBusy'>(registry, METRICS.gpuBusy, (gauge) => {
      for (const { gpu, busy } of this.#now.gpus()) gauge.set({ gpu }, busy);
    });
  }

  /** What is looked at at every scrape. */
  track(now: MemoryInUse): void {
    this.#now = now;
  }
}
