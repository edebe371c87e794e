import { createRequire } from 'node:module';
import util from 'node:util';
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu';

export type Tf = typeof TensorFlow;

/** One attribute of a raw TensorFlow op, as the addon takes it. */
export interface OpAttribute {
  name: string;
  type: number;
  value: unknown;
}

/** The addon's C++ surface that SemLink calls directly; everything else goes through TensorFlow.js. */
export interface TensorFlowBinding {
  /** Version of the native library, for example 2.18.1. */
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_UINT8: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  executeOp(
    op: string,
    attributes: OpAttribute[],
    inputs: number[],
    outputs: number,
  ): { id: number; shape: number[]; dtype: number }[];
  createTensor(shape: number[], dtype: number, data: ArrayBufferView): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(session: number): void;
  /** `inputs` and `outputs` are comma-separated op names; returns one entry an output. */
  runSavedModel(
    session: number,
    tensors: number[],
    inputs: string,
    outputs: string,
  ): { id: number; shape: number[]; dtype: number }[];
}

export interface TensorFlowBackend {
  readonly binding: TensorFlowBinding;
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: TensorFlow.Tensor[]): TensorFlow.Tensor;
  executeMultipleOutputs(
    op: string,
    attributes: OpAttribute[],
    inputs: TensorFlow.Tensor[],
    outputs: number,
  ): TensorFlow.Tensor[];
  getInputTensorIds(inputs: TensorFlow.Tensor[]): number[];
  createOutputTensor(output: { id: number; shape: number[]; dtype: number }): TensorFlow.Tensor;
}

let loaded: Tf | undefined;

/**
 * Sets what TensorFlow reads from the environment when it is loaded, where the user has not. A worker thread's
 * environment is a copy that TensorFlow does not see: the main thread must have called this before.
 *
 * @param threads threads of one op; default: TensorFlow's own choice, one a core
 */
export function setTensorFlowEnvironment(threads?: number): void {
  // Grow GPU memory as needed instead of taking all of it; keep the missing-GPU notice of a CPU machine quiet.
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  if (threads === undefined) return;
  process.env.TF_NUM_INTRAOP_THREADS ??= String(threads);
  process.env.TF_NUM_INTEROP_THREADS ??= '1';
}

/**
 * Loads TensorFlow's native library into this process, once.
 *
 * TensorFlow runs on the thread that calls it and blocks it, so a thread that serves gRPC must never call this: it asks
 * an `Engine` (engine.ts) instead.
 *
 * @throws Error saying to run the set-up when the native addon has not been built.
 */
export function loadTensorFlow(): Tf {
  if (loaded) return loaded;
  // TensorFlow.js 4.22 calls two functions that Node 23 removed; replaced on older ones too, which silences a warning.
  Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
  setTensorFlowEnvironment();
  try {
    loaded = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu') as Tf;
  } catch (cause) {
    throw new Error('TensorFlow is not set up on this machine: run "npm run setup" first', { cause });
  }
  loaded.enableProdMode();
  return loaded;
}

/** TensorFlow.js tensors that this thread holds; 0 while TensorFlow is not loaded. */
export function tensorsAlive(): number {
  return loaded?.memory().numTensors ?? 0;
}

/** The native backend of a loaded TensorFlow. */
export function nativeBackend(tf: Tf): TensorFlowBackend {
  return tf.backend() as unknown as TensorFlowBackend;
}
