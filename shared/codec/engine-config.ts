import { z } from 'zod';
import { group, option } from '../config/index.js';
import { GpuWatch, gpuIsVisible, type Telemetry } from '../telemetry/index.js';
import { availableCores } from '../tensor/cores.js';
import { Engine, type EngineOptions } from '../tensor/engine.js';
import type { Device } from '../tensor/session.js';
import { coresOfWorker } from '../workers/worker-role.js';
import { SHIPPED_MODELS } from './model-folder.js';
import { BACKENDS, type Backend } from './model-source.js';
import { type BatchCodec, ServedModels } from './served-models.js';

/** The part of a service's configuration that `engineFields` declares. */
export interface EngineConfig {
  readonly models: string;
  readonly engine: {
    readonly backend: 'auto' | Backend;
    readonly threads: number;
    readonly instances: number;
    readonly inlineFrames: number;
    readonly maxBatch: number;
    readonly preferredBatches: readonly number[];
    readonly maxBatchDelayUs: number;
    readonly maxQueueBytes: number;
    readonly maxQueueMs: number;
  };
}

/** What a service's engine is like unless told otherwise. */
export interface EngineDefaults {
  /** Most frames of one session call. */
  maxBatch: number;
  /** Most bytes waiting for one model. */
  maxQueueBytes: number;
  /** Frames that are computed in the thread that serves gRPC. */
  inlineFrames: number;
}

/** Fields of every service that runs published models. */
export function engineFields({ maxBatch, maxQueueBytes, inlineFrames }: EngineDefaults) {
  return {
    models: option(z.string().default(SHIPPED_MODELS), {
      description: 'Folder of published models.',
      placeholder: 'FOLDER',
    }),
    engine: group({
      backend: option(z.enum(['auto', ...BACKENDS]).default('auto'), {
        description: 'What computes the models; auto: TensorFlow where there is an NVIDIA GPU, else ONNX Runtime.',
      }),
      threads: option(z.int().min(0).max(256).default(0), {
        description:
          'Threads of one session call; 0: 1 with ONNX Runtime, the cores this process may use with TensorFlow.',
      }),
      instances: option(z.int().min(0).max(256).default(0), {
        description:
          'Batches computed at a time, each in a thread; 0: the cores this process may use with ONNX Runtime, 1 with ' +
          'TensorFlow.',
      }),
      inlineFrames: option(z.int().min(0).max(4096).default(inlineFrames), {
        description:
          'ONNX Runtime: batches of at most so many frames are computed in the thread that serves gRPC, which is quicker ' +
          'for little work.',
        unit: 'frames',
      }),
      maxBatch: option(z.int().min(1).max(4096).default(maxBatch), { description: 'Most frames of one session call.' }),
      preferredBatches: option(z.array(z.int().min(1).max(4096)).default([8, 16, 32, 64]), {
        description: 'Where as many frames wait as one of these, a batch has the largest such size.',
        unit: 'frames',
      }),
      maxBatchDelayUs: option(z.int().min(0).max(1_000_000).default(0), {
        description: 'How long frames wait for company while the engine is free, until there are as many as preferred.',
        unit: 'us',
      }),
      maxQueueBytes: option(z.int().min(1).default(maxQueueBytes), {
        description: 'Most bytes waiting for one model; frames beyond are answered RESOURCE_EXHAUSTED.',
        unit: 'bytes',
      }),
      maxQueueMs: option(z.int().min(1).max(3_600_000).default(10_000), {
        description: 'A frame that has waited so long for the engine is answered DEADLINE_EXCEEDED.',
        unit: 'ms',
      }),
    }),
  };
}

/** Published models running in an engine of their own. */
export interface RunningModels<T, R> {
  readonly models: ServedModels<T, R>;
  /** Why nothing can be computed any more; undefined while it can. */
  failure(): string | undefined;
  close(): Promise<void>;
}

/**
 * Starts an engine and loads every published model for one role.
 *
 * @param queue name of the queue in the metrics
 * @param defaultVersion model of frames that name none; '' takes the folder's own default
 * @throws Error when a model is damaged or the backend is not set up; nothing stays open then
 */
export async function runModels<T, R>(
  config: EngineConfig,
  codec: BatchCodec<T, R>,
  { metrics, logger }: Pick<Telemetry, 'metrics' | 'logger'>,
  queue: string,
  defaultVersion = '',
): Promise<RunningModels<T, R>> {
  const hasGpu = gpuIsVisible();
  const { backend, ...options } = engineOptions(config.engine, coresOfWorker(availableCores()), hasGpu);
  const engine = new Engine(options);
  let failure: string | undefined;
  engine.onFailure = (error) => {
    failure = error.message;
  };
  try {
    const serving = {
      ...config.engine,
      onBatch: metrics.observeBatch.bind(metrics),
    };
    const models = await ServedModels.load(engine, config.models, defaultVersion, codec, serving, backend);
    metrics.trackQueue(queue, () => models.queueBytes, config.engine.maxQueueBytes);
    const { device } = engine;
    metrics.engine.runsOn(backend, device);
    const { sentence, problem } = whereComputed(backend, device, hasGpu);
    logger[problem ? 'warn' : 'info']({ backend, device }, sentence);
    const gpu = hasGpu && metrics.enabled ? new GpuWatch() : undefined;
    metrics.engine.track({ tensors: () => engine.tensorsAlive, gpus: () => gpu?.readings() ?? [] });
    return { models, failure: () => failure, close: () => engine.close() };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Where models are computed, in a sentence; a problem where a GPU stands idle that was to be used. */
export function whereComputed(
  backend: Backend,
  device: Device,
  hasGpu: boolean,
): { sentence: string; problem: boolean } {
  const by = `models are computed by ${backend === 'tensorflow' ? 'TensorFlow' : 'ONNX Runtime'} on the`;
  if (device === 'gpu') return { sentence: `${by} GPU`, problem: false };
  if (!hasGpu) return { sentence: `${by} CPU: no NVIDIA GPU is visible here`, problem: false };
  if (backend === 'onnxruntime') return { sentence: `${by} CPU: --engine-backend says so`, problem: false };
  const what =
    'it is the build for CPUs, or its CUDA libraries or the driver do not fit (TF_CPP_MIN_LOG_LEVEL=0 tells)';
  return { sentence: `${by} CPU although an NVIDIA GPU is visible: ${what}`, problem: true };
}

/** What `auto` and 0 stand for on a machine. */
export function engineOptions(
  { backend, threads, instances, inlineFrames, maxBatch }: EngineConfig['engine'],
  cores: number,
  hasGpu: boolean,
): EngineOptions & { backend: Backend } {
  const chosen = backend === 'auto' ? (hasGpu ? 'tensorflow' : 'onnxruntime') : backend;
  if (chosen === 'tensorflow') return { backend: chosen, threads: threads || cores, instances: instances || 1 };
  // Where every batch is computed in the calling thread, others would have nothing to do.
  const needed = inlineFrames >= maxBatch ? 0 : instances || cores;
  return { backend: chosen, threads: threads || 1, instances: needed, inlineFrames };
}
