// Which TensorFlow, and where its parts live in the cache.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeWhole } from './files.mjs';

export const TENSORFLOW_VERSION = '2.18.1';

/**
 * The wheels, pinned by SHA-256. What matters in them is the C library, which is the same for every Python: the tag
 * cp311 is only what pip is asked for. `bytes` is the size of the download, `unpacked` what is kept of it.
 */
export const WHEELS = {
  cpu: {
    project: 'tensorflow-cpu',
    sha256: '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
    bytes: 230e6,
    unpacked: 690e6,
  },
  gpu: {
    project: 'tensorflow',
    sha256: 'c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828',
    bytes: 615e6,
    unpacked: 1250e6,
  },
};

/**
 * The CUDA 12 libraries that this TensorFlow was built for (its own `and-cuda` requirements); `folder` is where the
 * wheel keeps its files under nvidia/, which is where TensorFlow's library looks for them.
 */
export const CUDA_WHEELS = [
  { pin: 'nvidia-cublas-cu12==12.5.3.2', folder: 'cublas' },
  { pin: 'nvidia-cuda-cupti-cu12==12.5.82', folder: 'cuda_cupti' },
  { pin: 'nvidia-cuda-nvcc-cu12==12.5.82', folder: 'cuda_nvcc' },
  { pin: 'nvidia-cuda-nvrtc-cu12==12.5.82', folder: 'cuda_nvrtc' },
  { pin: 'nvidia-cuda-runtime-cu12==12.5.82', folder: 'cuda_runtime' },
  { pin: 'nvidia-cudnn-cu12==9.3.0.75', folder: 'cudnn' },
  { pin: 'nvidia-cufft-cu12==11.2.3.61', folder: 'cufft' },
  { pin: 'nvidia-curand-cu12==10.3.6.82', folder: 'curand' },
  { pin: 'nvidia-cusolver-cu12==11.6.3.83', folder: 'cusolver' },
  { pin: 'nvidia-cusparse-cu12==12.5.1.3', folder: 'cusparse' },
  { pin: 'nvidia-nccl-cu12==2.21.5', folder: 'nccl' },
  { pin: 'nvidia-nvjitlink-cu12==12.5.82', folder: 'nvjitlink' },
];

/** Download and unpacked size of all of {@link CUDA_WHEELS}, the largest archive included. */
export const CUDA_BYTES = 5.5e9;

/** The package of npm that binds TensorFlow to Node.js; one binding serves both libraries. */
export const bindingPackage = (root) => join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');

/** Folder of the unpacked library: lib/, include/ and, with a GPU, nvidia/. */
export const libraryFolder = (cache, device) =>
  join(cache, 'tensorflow', `${WHEELS[device].project}-${TENSORFLOW_VERSION}`);

const choicePath = (root) => join(root, '.setup', 'device.json');

/**
 * Flag, else the choice made last time in this checkout, else GPU exactly where there is an NVIDIA driver.
 *
 * @returns {'cpu' | 'gpu'}
 */
export function chooseDevice(root, flag) {
  const before = readJson(choicePath(root))?.device;
  return flag ?? (before === 'cpu' || before === 'gpu' ? before : existsSync('/dev/nvidiactl') ? 'gpu' : 'cpu');
}

/** Remembers a choice made by flag. */
export function rememberDevice(root, device) {
  if (readJson(choicePath(root))?.device !== device) writeWhole(choicePath(root), JSON.stringify({ device }));
}
