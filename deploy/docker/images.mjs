// The images that are built, and what each holds beside the packages that its code imports.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} Image
 * @property {string} target stage of the Dockerfile, and last part of the image's name
 * @property {string[]} entries compiled modules that run in it, from dist/
 * @property {string[]} dist folders of dist/ that are copied
 * @property {string[]} files other files and folders of the checkout that are copied
 * @property {string[]} data files and folders of the checkout that its user owns, for a volume over them to be writable
 * @property {string[]} cached files of the set-up's cache folder, copied to cache/
 * @property {boolean} engine whether models are computed in it: ONNX Runtime and TensorFlow are there
 */

const PRELOAD = 'shared/telemetry/preload.js';
const ENGINE = ['shared/tensor/engine-worker.js', 'shared/tensor/native.js'];

/** @returns {Image} */
const service = (name, { engine = false, files = [], data = [], cached = [] } = {}) => ({
  target: name,
  entries: [`services/${name}/main.js`, PRELOAD, ...(engine ? ENGINE : [])],
  dist: [`services/${name}`, 'shared'],
  files,
  data,
  cached,
  engine,
});

/** @type {Image[]} */
const ALL = [
  service('transmitter-encoder', { engine: true, files: ['shared/models'] }),
  service('channel-emulator', { files: ['shared/channel/kernel/kernel.wasm'] }),
  service('receiver-decoder', { engine: true, files: ['shared/models'] }),
  service('teacher-cache', { data: ['shared/knowledge/cifar10'] }),
  service('console', { cached: ['cifar10/test_batch.bin'] }),
  {
    target: 'tools',
    entries: ['deploy/cli/main.js', 'services/distiller/main.js', 'services/teacher-cache/main.js', PRELOAD, ...ENGINE],
    dist: ['deploy', 'services', 'shared'],
    files: ['shared/models', 'shared/channel/kernel/kernel.wasm', 'shared/knowledge/cifar10', 'deploy/cli/semlink.mjs'],
    data: [],
    cached: [],
    engine: true,
  },
];

/** The images of this checkout, those without TensorFlow first: they are quickest. */
export function imagesOf(root) {
  const there = ALL.filter(({ target }) => target === 'tools' || existsSync(join(root, 'services', target, 'main.ts')));
  return there.sort((a, b) => Number(a.engine) - Number(b.engine));
}
