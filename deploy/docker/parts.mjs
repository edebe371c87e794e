#!/usr/bin/env node
// Lays out what the images are made of, a folder a layer. Runs on a machine that has been set up, or, with --fetch, in
// the first stage of the Dockerfile, where it fetches and builds everything itself. Plain Node.js: nothing is installed yet.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheFolder } from '../setup/cache-folder.mjs';
import { readJson } from '../setup/files.mjs';
import { runProgram } from '../setup/programs.mjs';
import { Progress } from '../setup/progress.mjs';
import { addon, installedAddon } from '../setup/steps/addon.mjs';
import { build } from '../setup/steps/build.mjs';
import { cuda } from '../setup/steps/cuda.mjs';
import { data as cifar10 } from '../setup/steps/data.mjs';
import { generate } from '../setup/steps/generate.mjs';
import { library } from '../setup/steps/library.mjs';
import { packages } from '../setup/steps/packages.mjs';
import { libraryFolder } from '../setup/tensorflow.mjs';
import { imagesOf } from './images.mjs';
import { importedPackages, packageFolders } from './packages.mjs';
import { copyFile, copyTree, isWanted } from './trim.mjs';

const HELP = `Usage: node deploy/docker/parts.mjs --out FOLDER [flags]

Lays out the layers of the container images in a folder. deploy/docker/build.mjs calls it.

  --out FOLDER   where to; what was there is replaced
  --flavour F    cpu (default), or gpu: TensorFlow for NVIDIA GPUs with its CUDA libraries
  --fetch        fetch and build everything first, for an empty machine; without it "npm run setup" must have been run
  --help         this text
`;

const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    flavour: { type: 'string', default: 'cpu' },
    fetch: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help || values.out === undefined || !['cpu', 'gpu'].includes(values.flavour)) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}

/** The set-up's own steps; the data set only where an image holds some of it. */
async function fetchAll(context) {
  mkdirSync(context.cache, { recursive: true });
  const images = imagesOf(root).some(({ cached }) => cached.length > 0) ? [cifar10] : [];
  for (const step of [packages, library, cuda, addon, ...images, generate, build]) {
    if (!(await step.isDone(context))) await context.progress.during(step.title, () => step.run(context));
  }
}

async function requireAll(context) {
  // The binding serves both libraries; which of them this checkout is linked to does not matter here.
  for (const step of [packages, library, cuda, generate, build]) {
    if (await step.isDone(context)) continue;
    const flag = context.device === 'gpu' ? ' -- --gpu' : '';
    throw new Error(`"${step.title}" is not there or not of now: run "npm run setup${flag}", or build with --fetch`);
  }
  if (!existsSync(installedAddon(context.root))) throw new Error('no TensorFlow binding: run "npm run setup" first');
}

/** Layers, each used by one or more images: packages apart from code, for packages change seldom. */
async function layOut(context, out) {
  const dist = join(root, 'dist');
  const images = imagesOf(root).map((image) => ({
    ...image,
    folders: packageFolders(root, importedPackages(dist, image.entries)),
  }));
  const services = images.filter(({ target }) => target !== 'tools');
  const core = intersection(services);
  const engine = minus(intersection(images.filter((image) => image.engine)), core);
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(out)) if (name !== 'tensorflow') rmSync(join(out, name), { recursive: true });

  copyPackages(core, join(out, 'packages-core'));
  copyPackages(engine, join(out, 'packages-engine'));
  copyFile(installedAddon(root), join(out, 'packages-engine', installedAddon(root).slice(root.length + 1)));
  await copyTensorFlow(context, join(out, 'tensorflow'));
  mkdirSync(join(out, 'empty'));
  const common = join(out, 'common');
  for (const name of ['package.json', 'LICENSE']) copyFile(join(root, name), join(common, name));
  copyFile(join(root, 'deploy', 'docker', 'health-probe.mjs'), join(common, 'health-probe.mjs'));
  for (const { target, folders, dist: parts, files, data, cached, engine: computes } of images) {
    const own = minus(minus(folders, core), computes ? engine : new Set());
    copyPackages(own, join(out, `packages-${target}`));
    const code = join(out, `code-${target}`);
    for (const part of parts) copyTree(join(dist, part), join(code, 'dist', part), isCode);
    for (const part of parts.filter((name) => name.startsWith('services'))) {
      copyTree(join(root, part), join(code, part), isAsset);
    }
    copyAll(files, code);
    for (const file of cached) copyFile(join(context.cache, file), join(code, 'cache', file));
    if (data.length > 0) copyAll(data, join(out, `data-${target}`));
    writeFileSync(join(out, `${target}.json`), JSON.stringify([...folders].sort()));
  }
}

function copyAll(names, out) {
  for (const name of names) {
    if (statSync(join(root, name)).isDirectory()) copyTree(join(root, name), join(out, name));
    else copyFile(join(root, name), join(out, name));
  }
}

const isCode = (path) => path.endsWith('.js') && !/\.(test|fixture)\.js$/.test(path);
/** What a service serves as it is: pages, pictures. */
const isAsset = (path) => /\.(html|css|svg|png|ico|js|webmanifest)$/.test(path);

function intersection(images) {
  const [first, ...others] = images.map(({ folders }) => folders);
  return new Set([...first].filter((folder) => others.every((other) => other.has(folder))));
}

const minus = (folders, others) => new Set([...folders].filter((folder) => !others.has(folder)));

function copyPackages(folders, out) {
  mkdirSync(join(out, 'node_modules'), { recursive: true }); // COPY wants a folder, were it empty
  for (const folder of folders) {
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    copyTree(join(root, folder), join(out, folder), (path) => isWanted(name, path));
  }
}

/** The library without its symbol tables, which are a quarter of it; kept from before when it is of the same files. */
async function copyTensorFlow({ cache, device, progress }, out) {
  const from = libraryFolder(cache, device);
  const lib = join(out, 'node_modules', '@tensorflow', 'tfjs-node-gpu', 'deps', 'lib');
  const record = join(out, 'made-of.json');
  const now = readFileSync(join(from, 'complete.json'), 'utf8');
  if (JSON.stringify(readJson(record)) === JSON.stringify({ device, now })) return;
  rmSync(out, { recursive: true, force: true });
  for (const name of LIBRARIES) {
    copyFile(join(from, 'lib', name), join(lib, name));
    try {
      await runProgram('strip', ['--strip-unneeded', join(lib, name)]);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      progress.say('  strip (of binutils) is not there: TensorFlow keeps its symbol tables, 200 MB');
    }
  }
  if (device === 'gpu') copyTree(join(from, 'nvidia'), join(lib, '..', 'nvidia'), (path) => !path.endsWith('.json'));
  writeFileSync(record, JSON.stringify({ device, now }));
}

try {
  const context = { root, cache: cacheFolder(), device: values.flavour, progress: new Progress() };
  await (values.fetch ? fetchAll(context) : requireAll(context));
  await layOut(context, resolve(values.out));
} catch (error) {
  process.stderr.write(`parts: ${error.message}\n${process.env.SEMLINK_DEBUG === '1' ? (error.detail ?? '') : ''}`);
  process.exitCode = 1;
}
