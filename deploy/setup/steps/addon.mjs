// The binding between TensorFlow and Node.js: two C++ files of the npm package, compiled once per cache.
//
// It uses only C interfaces (Node-API 8 and TensorFlow's), so one build serves Node 20, 22 and 24 and both libraries.
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { asFailure } from '../failure.mjs';
import { sha256, unfinishedFolder } from '../files.mjs';
import { requireCompiler } from '../prerequisites.mjs';
import { runProgram } from '../programs.mjs';
import { bindingPackage, libraryFolder, TENSORFLOW_VERSION } from '../tensorflow.mjs';

const SOURCES = ['tfjs_backend.cc', 'tfjs_binding.cc'];
const FLAGS = ['-shared', '-fPIC', '-O2', '-std=c++17'];
const DEFINES = ['-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=tfjs_binding', '-DBUILDING_NODE_EXTENSION'];

export const compiler = (env = process.env) => env.CXX || 'g++';

/** Where the npm package looks for its binding. */
export const installedAddon = (root) => join(bindingPackage(root), 'lib', 'napi-v8', 'tfjs_binding.node');

/** Where the compiled binding is kept: named after everything it was made from. */
function cachedAddon({ root, cache }) {
  const binding = join(bindingPackage(root), 'binding');
  const sources = SOURCES.map((name) => readFileSync(join(binding, name), 'utf8'));
  const headers = readFileSync(join(root, 'node_modules', 'node-api-headers', 'package.json'), 'utf8');
  const key = sha256(JSON.stringify([TENSORFLOW_VERSION, FLAGS, DEFINES, sources, JSON.parse(headers).version]));
  return join(cache, 'addon', key.slice(0, 16), 'tfjs_binding.node');
}

/** The package finds the library through its folder `deps`, a link into the cache. */
function linked({ root, cache, device }) {
  const link = join(bindingPackage(root), 'deps');
  const found = lstatSync(link, { throwIfNoEntry: false });
  return found?.isSymbolicLink() === true && readlinkSync(link) === libraryFolder(cache, device);
}

const sameFile = (a, b) => existsSync(a) && existsSync(b) && readFileSync(a).equals(readFileSync(b));

export const addon = {
  title: 'TensorFlow binding',

  async isDone(context) {
    if (!existsSync(bindingPackage(context.root))) return false;
    return linked(context) && sameFile(cachedAddon(context), installedAddon(context.root));
  },

  async run(context) {
    const { root } = context;
    const cached = cachedAddon(context);
    try {
      if (!existsSync(cached)) {
        await requireCompiler(compiler());
        await compile(context, cached);
      }
      link(context);
      const installed = installedAddon(root);
      mkdirSync(dirname(installed), { recursive: true });
      copyFileSync(cached, `${installed}.tmp`);
      renameSync(`${installed}.tmp`, installed);
    } catch (error) {
      throw asFailure(error, { doing: 'Compiling the TensorFlow binding' });
    }
  },
};

async function compile({ root, cache, device, progress }, target) {
  progress.detail(`compiling with ${compiler()}, about 20 s`);
  const binding = join(bindingPackage(root), 'binding');
  const folder = libraryFolder(cache, device);
  const { include_dir: nodeApi } = createRequire(join(root, 'package.json'))('node-api-headers');
  const work = unfinishedFolder(cache);
  try {
    const built = join(work, 'tfjs_binding.node');
    await runProgram(compiler(), [
      ...FLAGS,
      ...DEFINES,
      ...['-I', nodeApi, '-I', join(folder, 'include'), '-I', dirname(bindingPackage(root))],
      ...SOURCES.map((name) => join(binding, name)),
      ...['-L', join(folder, 'lib'), '-ltensorflow', '-ltensorflow_framework'],
      ...['-Wl,-rpath,$ORIGIN/../../deps/lib', '-o', built],
    ]);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(built, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function link({ root, cache, device }) {
  const path = join(bindingPackage(root), 'deps');
  const temporary = `${path}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  symlinkSync(libraryFolder(cache, device), temporary);
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) rmSync(path, { recursive: true });
  renameSync(temporary, path);
}
