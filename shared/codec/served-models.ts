import { notFound } from '../rpc/errors.js';
import { Batcher, type ClosedBy } from '../tensor/batcher.js';
import type { Engine, EngineModel } from '../tensor/engine.js';
import type { BatchInputs } from '../tensor/input-pool.js';
import type { Manifest } from './manifest.js';
import { chooseModel, graphPorts, openModels, type PublishedModel, type Role } from './model-folder.js';
import { type Backend, modelSource } from './model-source.js';

/** Time a frame spent in a service's engine, nanoseconds. */
export interface EngineTimings {
  queueNanos: number;
  computeNanos: number;
  /** Frames of its batch. */
  batchSize: number;
}

/** Who a job is from. */
export interface JobSource {
  /** Links get equal shares of a queue. */
  linkId: string;
  /** Aborted when nobody waits for the result any more. */
  signal?: AbortSignal;
}

interface Item<T> {
  job: T;
  at: number;
  source: JobSource | undefined;
}

/** One model as a service runs it: frames in one by one, computed in batches. */
export class ServedModel<T, R> {
  readonly manifest: Manifest;
  readonly #batcher: Batcher<Item<T>, { result: R; timings: EngineTimings }>;

  constructor(manifest: Manifest, model: EngineModel, codec: BatchCodec<T, R>, options: ServingOptions) {
    this.manifest = manifest;
    this.#batcher = new Batcher({
      maxBatch: options.maxBatch,
      parallel: model.parallel,
      preferred: options.preferredBatches ?? [],
      maxDelayMs: (options.maxBatchDelayUs ?? 0) / 1e3,
      maxWaitMs: options.maxQueueMs ?? Number.POSITIVE_INFINITY,
      maxBytes: options.maxQueueBytes,
      bytesOf: ({ job }) => codec.bytesOf(job),
      keyOf: ({ source }) => source?.linkId ?? '',
      isAbandoned: ({ source }) => source?.signal?.aborted ?? false,
      run: async (items, closedBy) => {
        const start = performance.now();
        options.onBatch(items.length, closedBy);
        const inputs = model.inputs(items.length);
        const jobs = items.map((item) => item.job);
        codec.gather(jobs, manifest, inputs);
        const { output } = await model.run(items.length, inputs);
        const computeNanos = Math.round((performance.now() - start) * 1e6);
        const width = output.length / items.length;
        return items.map(({ job, at }, i) => ({
          result: codec.result(output.subarray(i * width, (i + 1) * width), job),
          timings: { queueNanos: Math.round((start - at) * 1e6), computeNanos, batchSize: items.length },
        }));
      },
    });
  }

  /** Bytes that wait or are being computed. */
  get queueBytes(): number {
    return this.#batcher.bytes;
  }

  /**
   * @param done called once, with the result, the error of the batch, or why it was not computed: DEADLINE_EXCEEDED or
   *   CANCELLED
   * @throws SemlinkError RESOURCE_EXHAUSTED when too much waits
   */
  submit(
    job: T,
    done: (result: { result: R; timings: EngineTimings } | undefined, error: Error | undefined) => void,
    source?: JobSource,
  ): void {
    this.#batcher.submit({ job, at: performance.now(), source }, done);
  }
}

/** How jobs become a batch's arrays and back. */
export interface BatchCodec<T, R> {
  role: Role;
  bytesOf(job: T): number;
  /** Fills the arrays of a batch, in the order of the role's ports (model-folder.ts); they hold what is left in them. */
  gather(jobs: T[], manifest: Manifest, inputs: BatchInputs): void;
  /** One job's result from its part of the output, which it may keep. */
  result(output: Float32Array, job: T): R;
  /** A job to warm the model up with. */
  example(manifest: Manifest): T;
}

export interface ServingOptions {
  /** Frames of one session call at most. */
  maxBatch: number;
  /** Sizes of batches that are taken where more waits. */
  preferredBatches?: readonly number[];
  /** How long a lone frame may wait for company, microseconds. Default 0. */
  maxBatchDelayUs?: number;
  /** A frame that has waited so long is answered DEADLINE_EXCEEDED, ms. Default: for ever. */
  maxQueueMs?: number;
  /** Bytes waiting for one model at most; a frame beyond is answered RESOURCE_EXHAUSTED. */
  maxQueueBytes: number;
  onBatch(frames: number, closedBy: ClosedBy): void;
}

/** All published models of a folder, loaded for one role. */
export class ServedModels<T, R> {
  readonly #models: ReadonlyMap<string, ServedModel<T, R>>;
  readonly defaultVersion: string;

  private constructor(models: ReadonlyMap<string, ServedModel<T, R>>, defaultVersion: string) {
    this.#models = models;
    this.defaultVersion = defaultVersion;
  }

  /**
   * Loads every model and runs each in every instance of the engine, at sizes from 1 to `maxBatch`, so that the first
   * frames are not slow.
   *
   * @param defaultVersion model of frames that name none; '' takes the folder's own default
   * @throws Error when a model is damaged or the default is not among them
   */
  static async load<T, R>(
    engine: Engine,
    folder: string,
    defaultVersion: string,
    codec: BatchCodec<T, R>,
    options: ServingOptions,
    backend: Backend = 'tensorflow',
  ): Promise<ServedModels<T, R>> {
    const published = await openModels(folder);
    const chosen = await chooseModel(folder, published, defaultVersion);
    const models = new Map<string, ServedModel<T, R>>();
    for (const model of published.values()) {
      models.set(model.manifest.version, await loadOne(engine, model, codec, options, backend));
    }
    return new ServedModels(models, chosen.manifest.version);
  }

  all(): ServedModel<T, R>[] {
    return [...this.#models.values()];
  }

  /** Bytes that wait or are being computed, over all models. */
  get queueBytes(): number {
    return this.all().reduce((sum, model) => sum + model.queueBytes, 0);
  }

  /**
   * @param version '' is the default
   * @throws SemlinkError NOT_FOUND naming the versions there are
   */
  get(version: string): ServedModel<T, R> {
    const model = this.#models.get(version || this.defaultVersion);
    if (model) return model;
    throw notFound('model_version', version, `this service has ${[...this.#models.keys()].join(', ')}`);
  }
}

async function loadOne<T, R>(
  engine: Engine,
  model: PublishedModel,
  codec: BatchCodec<T, R>,
  options: ServingOptions,
  backend: Backend,
): Promise<ServedModel<T, R>> {
  const { manifest } = model;
  const source = await modelSource(model, codec.role, backend);
  const loaded = await engine.load(source, graphPorts(manifest.network, codec.role));
  for (const batch of warmUpSizes(options)) {
    const jobs = Array.from({ length: batch }, () => codec.example(manifest));
    const run = () => {
      const inputs = loaded.inputs(batch);
      codec.gather(jobs, manifest, inputs);
      return loaded.run(batch, inputs);
    };
    // At the same time, so that each instance gets one.
    await Promise.all(Array.from({ length: loaded.parallel }, run));
  }
  return new ServedModel(manifest, loaded, codec, options);
}

/** 1, 2, 4 ... maxBatch, and the preferred sizes. */
function warmUpSizes({ maxBatch, preferredBatches = [] }: ServingOptions): Set<number> {
  const sizes = new Set(preferredBatches.filter((size) => size <= maxBatch));
  for (let size = 1; size < maxBatch; size *= 2) sizes.add(size);
  return sizes.add(maxBatch);
}
