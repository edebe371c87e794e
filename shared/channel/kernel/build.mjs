/**
 * Builds kernel.wasm from assembly/kernel.ts with AssemblyScript: node shared/channel/kernel/build.mjs [FILE]. The same
 * source and the pinned compiler give the same bytes; a test holds the checked-in file to that.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(folder, '..', '..', '..');
const compiler = path.join(
  path.dirname(createRequire(import.meta.url).resolve('assemblyscript/package.json')),
  'bin',
  'asc.js',
);
const out = path.resolve(process.argv[2] ?? path.join(folder, 'kernel.wasm'));
const options = ['--runtime', 'stub', '--enable', 'simd', '-O3', '--noAssert'];
// Memory is fixed, so that views of it stay good: 16 pages, the first kibibyte without static data.
const memory = ['--initialMemory', '16', '--maximumMemory', '16', '--memoryBase', '1024'];
const source = 'shared/channel/kernel/assembly/kernel.ts';
const args = [compiler, source, '-o', path.relative(root, out), ...options, ...memory];
process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
