import { z } from 'zod';
import { group, option } from '../config/index.js';
import type { Telemetry } from '../telemetry/index.js';
import { Engine } from '../tensor/engine.js';
import { SHIPPED_MODELS } from './model-folder.js';
import { type BatchCodec, ServedModels } from './served-models.js';

/** The part of a service's configuration that `engineFields` declares. */
export interface EngineConfig {
  readonly models: string;
  readonly engine: { readonly threads: number; readonly maxBatch: number; readonly maxQueueBytes: number };
}

/**
 * Fields of every service that runs published models.
 *
 * @param maxBatch default of the most frames of one session call
 * @param maxQueueBytes default of the most bytes waiting for one model
 */
export function engineFields(maxBatch: number, maxQueueBytes: number) {
  return {
    models: option(z.string().default(SHIPPED_MODELS), {
      description: 'Folder of published models.',
      placeholder: 'FOLDER',
    }),
    engine: group({
      threads: option(z.int().min(1).max(256).default(1), { description: 'TensorFlow threads of one session call.' }),
      maxBatch: option(z.int().min(1).max(4096).default(maxBatch), { description: 'Most frames of one session call.' }),
      maxQueueBytes: option(z.int().min(1).default(maxQueueBytes), {
        description: 'Most bytes waiting for one model; frames beyond are answered RESOURCE_EXHAUSTED.',
        unit: 'bytes',
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
 * @param defaultVersion model of frames that name none; '' takes the last by name
 * @throws Error when a model is damaged or TensorFlow is not set up; nothing stays open then
 */
export async function runModels<T, R>(
  config: EngineConfig,
  codec: BatchCodec<T, R>,
  { metrics }: Pick<Telemetry, 'metrics'>,
  queue: string,
  defaultVersion = '',
): Promise<RunningModels<T, R>> {
  const engine = new Engine({ threads: config.engine.threads });
  let failure: string | undefined;
  engine.onFailure = (error) => {
    failure = error.message;
  };
  try {
    const models = await ServedModels.load(engine, config.models, defaultVersion, codec, {
      ...config.engine,
      onBatch: (frames, closedBy) => metrics.observeBatch(frames, closedBy),
    });
    metrics.trackQueue(queue, () => models.queueBytes);
    return { models, failure: () => failure, close: () => engine.close() };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
