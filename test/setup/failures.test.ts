import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Checkout, type Ended, lastLine, setupModule } from './fixture.js';

let checkout: Checkout;
beforeEach(async () => {
  checkout = await Checkout.create();
});
afterEach(async () => {
  await checkout.remove();
});

/** One sentence at the end that matches, exit code 1, and nothing that only a programmer could read. */
function expectFailure(ended: Ended, sentence: RegExp): void {
  expect(lastLine(ended)).toMatch(sentence);
  expect(lastLine(ended)).toMatch(/\.$/);
  expect(ended.stderr).not.toMatch(/^\s+at |node:internal|Error:/m);
  expect(ended.code).toBe(1);
}

/** A library folder that passes for complete, so that the steps after it are reached. */
async function pretendLibrary(): Promise<void> {
  const folder = join(checkout.cache, 'tensorflow', 'tensorflow-cpu-2.18.1');
  await mkdir(join(folder, 'lib'), { recursive: true });
  const path = join(folder, 'lib', 'libtensorflow_cc.so.2');
  await writeFile(path, 'library');
  const { size, mtimeMs } = await stat(path);
  const files = { 'lib/libtensorflow_cc.so.2': { size, mtimeMs: Math.trunc(mtimeMs) } };
  await writeFile(join(folder, 'complete.json'), JSON.stringify({ files }));
}

async function pretendBinding(source: string): Promise<void> {
  const tensorflow = 'node_modules/@tensorflow/tfjs-node-gpu';
  await checkout.write(`${tensorflow}/binding/tfjs_backend.cc`, source);
  await checkout.write(`${tensorflow}/binding/tfjs_binding.cc`, '');
  await checkout.write('node_modules/node-api-headers/package.json', { version: '1.0.0', main: 'index.js' });
  await checkout.write('node_modules/node-api-headers/index.js', 'exports.include_dir = __dirname;');
  await checkout.installPackages({});
}

describe('the set-up ends in one sentence', () => {
  it('without npm', async () => {
    await checkout.lockPackages({ 'node_modules/left': { version: '1.0.0' } });
    expectFailure(await checkout.run(), /^npm was not found; .*install it/);
  });

  it('without Python', async () => {
    await checkout.installPackages({});
    expectFailure(await checkout.run(['--cpu']), /^Python 3 was not found; install it .*apt-get install python3/);
  });

  it('without pip', async () => {
    await checkout.installPackages({});
    await checkout.script('python3', '[ "$1" = --version ] || { echo "No module named pip" >&2; exit 1; }');
    expectFailure(await checkout.run(['--cpu']), /^pip for Python 3 was not found; install it .*python3-pip/);
  });

  it('without a C++ compiler', async () => {
    await pretendLibrary();
    await pretendBinding('');
    expectFailure(await checkout.run(['--cpu']), /^The C\+\+ compiler g\+\+ was not found; install it/);
    expectFailure(
      await checkout.run(['--cpu'], { CXX: 'no-such-compiler' }),
      /compiler no-such-compiler was not found/,
    );
  });

  it('when the compiler refuses, with the details on demand', async () => {
    await pretendLibrary();
    await pretendBinding('');
    await checkout.script('g++', '[ "$1" = --version ] || { echo "x.cc:1: error: no such luck" >&2; exit 1; }');
    expectFailure(await checkout.run(['--cpu']), /^Compiling the TensorFlow binding failed: .*no such luck; run/);
    const { code, stderr } = await checkout.run(['--cpu'], { SEMLINK_DEBUG: '1' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/g\+\+ ended with exit code 1\n\s+at /);
  });

  it('when the npm registry cannot be reached', async () => {
    await checkout.write('package.json', { name: 'fixture', version: '1.0.0', dependencies: { left: '1.0.0' } });
    const lock = {
      name: 'fixture',
      version: '1.0.0',
      lockfileVersion: 3,
      packages: {
        '': { name: 'fixture', version: '1.0.0', dependencies: { left: '1.0.0' } },
        'node_modules/left': { version: '1.0.0' },
      },
    };
    await checkout.write('package-lock.json', lock);
    const ended = await checkout.run([], {
      PATH: process.env.PATH,
      npm_config_registry: 'http://127.0.0.1:9/',
      npm_config_fetch_retries: '0',
      npm_config_update_notifier: 'false',
    });
    expectFailure(ended, /^Installing the npm packages failed: the package registry cannot be reached; check/);
  });

  it('when the Python index cannot be reached', async () => {
    await checkout.installPackages({});
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
    await checkout.script('python3', `exec '${python}' "$@"`);
    const ended = await checkout.run(['--cpu'], {
      PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
      PIP_CONFIG_FILE: '/dev/null',
      PIP_RETRIES: '0',
    });
    expectFailure(
      ended,
      /^Fetching TensorFlow 2\.18\.1 failed: the Python package index cannot be reached, or lacks it; check/,
    );
    expect(existsSync(join(checkout.cache, 'tensorflow'))).toBe(false);
  });

  it('when the disk fills up', async () => {
    await checkout.installPackages({});
    await checkout.script(
      'python3',
      'case "$*" in *download*) echo "OSError: [Errno 28] No space left on device" >&2; exit 1;; esac',
    );
    expectFailure(await checkout.run(['--cpu']), /failed: the disk is full \(.*cache\); free some space/);
  });

  it('when the cache folder cannot be written', async () => {
    await checkout.installPackages({});
    await writeFile(join(checkout.folder, 'file'), '');
    const cache = join(checkout.folder, 'file', 'cache');
    expectFailure(
      await checkout.run([], { SEMLINK_CACHE: cache }),
      /^The folder .*cache cannot be written \(ENOTDIR\)/,
    );
  });

  it('with flags it does not know, or that exclude each other', async () => {
    expectFailure(await checkout.run(['--fast']), /--fast.*`npm run setup -- --help` lists the flags/);
    expectFailure(await checkout.run(['--cpu', '--gpu']), /^--cpu and --gpu exclude each other/);
  });
});

describe('requirePlatform', () => {
  const good = { platform: 'linux', arch: 'x64', nodeVersion: '20.11.0', glibc: '2.31' };

  it.each([
    [{ ...good, platform: 'darwin' }, /this is darwin-x64/],
    [{ ...good, arch: 'arm64' }, /this is linux-arm64/],
    [{ ...good, glibc: undefined }, /not Alpine/],
    [{ ...good, nodeVersion: '20.10.9' }, /needs Node\.js 20\.11 or newer and this is 20\.10\.9/],
    [{ ...good, nodeVersion: '18.20.0' }, /install Node\.js 20, 22 or 24/],
  ])('refuses %j', async (machine, message) => {
    const { requirePlatform } = await setupModule<{ requirePlatform(machine: object): void }>('prerequisites.mjs');
    expect(() => requirePlatform(machine)).toThrow(message);
    expect(() => requirePlatform(good)).not.toThrow();
    expect(() => requirePlatform({ ...good, nodeVersion: '24.0.1' })).not.toThrow();
  });
});

describe('requireSpace', () => {
  it('says how much is needed and how much there is, also for a folder still to be made', async () => {
    const { requireSpace } = await setupModule<{ requireSpace(folder: string, bytes: number, purpose: string): void }>(
      'prerequisites.mjs',
    );
    const folder = join(checkout.folder, 'not', 'yet');
    expect(() => requireSpace(folder, 1, 'CIFAR-10')).not.toThrow();
    expect(() => requireSpace(folder, 1e18, 'CIFAR-10')).toThrow(
      /^CIFAR-10 needs 1000000000\.0 GB of free disk under .* and there are \d+\.\d GB; free some space/,
    );
  });
});
