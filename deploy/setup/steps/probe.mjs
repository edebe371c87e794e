// Proof that the binding loads in this Node and computes: a small matrix product in a process of its own.
import { join } from 'node:path';
import { SetupFailure } from '../failure.mjs';
import { fingerprint, readJson, writeWhole } from '../files.mjs';
import { runProgram } from '../programs.mjs';
import { installedAddon } from './addon.mjs';

// Node 23 dropped util.isNullOrUndefined, which the package still calls.
const PROGRAM = `
const util = require('node:util');
util.isNullOrUndefined = (value) => value === null || value === undefined;
util.isArray = Array.isArray;
const tf = require('@tensorflow/tfjs-node-gpu');
const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]])).dataSync();
console.log(JSON.stringify({ backend: tf.getBackend(), product: [...product], gpu: tf.backend().isUsingGpuDevice === true }));
`;
const PRODUCT = [19, 22, 43, 50];

/** In the checkout, because it speaks of this node_modules. */
const recordPath = (root) => join(root, '.setup', 'probe.json');

/** What the proof holds for: this Node, this binding, this library. */
const subject = ({ root, cache, device }) => ({
  node: process.version,
  addon: fingerprint(installedAddon(root)) ?? null,
  cache,
  device,
});

export const probe = {
  title: 'TensorFlow check',

  async isDone(context) {
    const record = readJson(recordPath(context.root));
    return record !== undefined && JSON.stringify(record) === JSON.stringify(subject(context));
  },

  async run(context) {
    const { root, device, progress } = context;
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
    let output = '';
    try {
      output = await runProgram(process.execPath, ['-e', PROGRAM], { cwd: root, env });
    } catch (error) {
      throw notLoading(`${error.message}\n${error.output ?? ''}`, error);
    }
    const line = output.split('\n').findLast((text) => text.startsWith('{'));
    const found = line ? JSON.parse(line) : {};
    if (found.backend !== 'tensorflow' || JSON.stringify(found.product) !== JSON.stringify(PRODUCT)) {
      throw notLoading(output);
    }
    if (device === 'gpu' && !found.gpu) {
      progress.say('  Note: TensorFlow found no GPU it can use here and will run on the CPU.');
    }
    writeWhole(recordPath(root), JSON.stringify(subject(context)));
  },
};

function notLoading(detail, cause) {
  return new SetupFailure(
    `TensorFlow does not load in Node ${process.version}; run \`SEMLINK_DEBUG=1 npm run setup\` for the reason, or remove node_modules and the cache folder and run \`npm run setup\` again.`,
    { detail, cause },
  );
}
