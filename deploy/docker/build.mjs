#!/usr/bin/env node
// Builds the container images, says how large they are, and writes what is in them (SBOM).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readJson } from '../setup/files.mjs';
import { dockerClient } from './client.mjs';
import { imagesOf } from './images.mjs';
import { bomOf } from './sbom.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const targets = imagesOf(root).map(({ target }) => target);

const HELP = `Usage: node deploy/docker/build.mjs [flags]

Builds the images semlink/TARGET:${version} and prints their sizes.

  --target NAME     only this one (may be repeated): ${targets.join(', ')}
  --gpu             TensorFlow for NVIDIA GPUs with its CUDA libraries; the tag ends in -gpu; 4 GB an image
  --fetch           fetch and build everything inside Docker; without it what "npm run setup" made here is taken
  --base IMAGE      image with Node.js 20 or later that they stand on (default: SEMLINK_BASE_IMAGE, else node:20-slim)
  --build-image IMAGE   with --fetch: image to build in, Debian with Node.js and npm (default: node:20-bookworm)
  --tag TAG         instead of ${version}
  --repository NAME instead of semlink
  --sbom FOLDER     writes TARGET.cdx.json (CycloneDX) of each image there
  --docker-arg ARG  passed on to docker build (may be repeated), for example --docker-arg=--secret=id=ca,src=ca.pem
  --help            this text
`;

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: [] },
    gpu: { type: 'boolean', default: false },
    fetch: { type: 'boolean', default: false },
    base: { type: 'string', default: process.env.SEMLINK_BASE_IMAGE || 'node:20-slim' },
    'build-image': { type: 'string', default: 'node:20-bookworm' },
    tag: { type: 'string' },
    repository: { type: 'string', default: 'semlink' },
    sbom: { type: 'string' },
    'docker-arg': { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

function build() {
  const wanted = values.target.length > 0 ? values.target : targets;
  for (const name of wanted) {
    if (!targets.includes(name))
      throw new Error(`there is no target ${JSON.stringify(name)}; there are ${targets.join(', ')}`);
  }
  const docker = dockerClient();
  const flavour = values.gpu ? 'gpu' : 'cpu';
  const tag = values.tag ?? `${version}${values.gpu ? '-gpu' : ''}`;
  const parts = join(root, '.setup', 'image-parts', flavour);
  if (!values.fetch) layOut(parts);
  const args = {
    BASE_IMAGE: values.base,
    BUILD_IMAGE: values['build-image'],
    PARTS: values.fetch ? 'fetched' : 'prepared',
    FLAVOUR: flavour,
    VERSION: version,
    ...commit(),
    INPUTS: readJson(join(root, 'dist', '.semlink.json'))?.inputs ?? 'unknown',
  };
  const sizes = [];
  for (const target of wanted) {
    const image = `${values.repository}/${target}:${tag}`;
    const started = Date.now();
    docker.build([
      ...['-f', join(root, 'deploy', 'docker', 'Dockerfile'), '--target', target, '-t', image],
      ...Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ...values['docker-arg'],
      root,
    ]);
    const bytes = Number(docker.run(['image', 'inspect', '--format', '{{.Size}}', image]));
    sizes.push({
      image,
      'size, MB': Math.round(bytes / 1e6),
      'built in, s': Math.round((Date.now() - started) / 1000),
    });
    if (values.sbom !== undefined) writeBom(target, parts, flavour);
  }
  console.table(sizes);
}

function layOut(out) {
  const args = [join(root, 'deploy', 'docker', 'parts.mjs'), '--out', out, '--flavour', values.gpu ? 'gpu' : 'cpu'];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error('the parts of the images could not be laid out; see above');
}

/** Of the checkout, where it is one; the time is the commit's, so that the same commit gives the same labels. */
function commit() {
  if (!existsSync(join(root, '.git'))) return {};
  const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '-changed';
  return { REVISION: git('rev-parse', 'HEAD') + changed, CREATED: git('log', '-1', '--format=%cI') };
}

function writeBom(target, parts, flavour) {
  if (values.fetch) throw new Error('--sbom lists what this checkout holds: build without --fetch');
  mkdirSync(values.sbom, { recursive: true });
  const folders = JSON.parse(readFileSync(join(parts, `${target}.json`), 'utf8'));
  const { engine } = imagesOf(root).find((image) => image.target === target);
  const bom = bomOf({ root, target, folders, tensorflow: engine ? flavour : undefined });
  writeFileSync(join(values.sbom, `${target}.cdx.json`), `${JSON.stringify(bom, null, 2)}\n`);
}

try {
  build();
} catch (error) {
  process.stderr.write(`build: ${error.message}\n`);
  process.exitCode = 1;
}
