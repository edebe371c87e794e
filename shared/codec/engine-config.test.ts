import { describe, expect, it } from 'vitest';
import { type EngineConfig, engineOptions, whereComputed } from './engine-config.js';

const config = (over: Partial<EngineConfig['engine']> = {}): EngineConfig['engine'] => ({
  backend: 'auto',
  threads: 0,
  instances: 0,
  inlineFrames: 1,
  maxBatch: 64,
  preferredBatches: [8],
  maxBatchDelayUs: 0,
  maxQueueBytes: 1,
  maxQueueMs: 1,
  ...over,
});

describe('the engine of a machine', () => {
  it('is ONNX Runtime without a GPU: a thread a core, each with batches of its own', () => {
    expect(engineOptions(config(), 4, false)).toEqual({
      backend: 'onnxruntime',
      threads: 1,
      instances: 4,
      inlineFrames: 1,
    });
  });

  it('is TensorFlow with a GPU, one batch at a time and never in the thread that serves', () => {
    expect(engineOptions(config(), 4, true)).toEqual({ backend: 'tensorflow', threads: 4, instances: 1 });
    expect(engineOptions(config({ backend: 'tensorflow', threads: 2, inlineFrames: 64 }), 4, false)).toEqual({
      backend: 'tensorflow',
      threads: 2,
      instances: 1,
    });
  });

  it('has no threads where every batch is computed in the thread that serves', () => {
    expect(engineOptions(config({ inlineFrames: 64 }), 4, false)).toMatchObject({ instances: 0, inlineFrames: 64 });
  });

  it('is what it is told to be', () => {
    const told = config({ backend: 'onnxruntime', threads: 2, instances: 3 });
    expect(engineOptions(told, 8, true)).toMatchObject({ backend: 'onnxruntime', threads: 2, instances: 3 });
  });
});

describe('where models are computed', () => {
  it('is said in a sentence, and is a problem only where a GPU should be at work', () => {
    expect(whereComputed('tensorflow', 'gpu', true)).toEqual({
      sentence: 'models are computed by TensorFlow on the GPU',
      problem: false,
    });
    expect(whereComputed('onnxruntime', 'cpu', false).sentence).toBe(
      'models are computed by ONNX Runtime on the CPU: no NVIDIA GPU is visible here',
    );
    expect(whereComputed('onnxruntime', 'cpu', true)).toMatchObject({ problem: false });
    // Such as the CPU's TensorFlow on a machine with a GPU, or a CUDA library that is not found.
    expect(whereComputed('tensorflow', 'cpu', true)).toEqual({
      sentence: expect.stringContaining('although an NVIDIA GPU is visible'),
      problem: true,
    });
  });
});
