// What must be there before anything is fetched, and how to get it. Each check throws one sentence.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { asFailure, SetupFailure } from './failure.mjs';

const MINIMUM_NODE = [20, 11];
const execute = promisify(execFile);

/** The machine itself: TensorFlow's published libraries exist for Linux with glibc on x86-64. */
export function requirePlatform({ platform, arch, nodeVersion, glibc } = thisMachine()) {
  if (platform !== 'linux' || arch !== 'x64') {
    throw new SetupFailure(
      `SemLink needs Linux on x86-64 and this is ${platform}-${arch}; use such a machine, a container or WSL 2.`,
    );
  }
  if (glibc === undefined) {
    throw new SetupFailure(
      'SemLink needs a Linux with glibc and this one has another C library; use Debian, Ubuntu, Fedora or alike (not Alpine).',
    );
  }
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  if (major < MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor < MINIMUM_NODE[1])) {
    throw new SetupFailure(
      `SemLink needs Node.js ${MINIMUM_NODE.join('.')} or newer and this is ${nodeVersion}; install Node.js 20, 22 or 24.`,
    );
  }
}

function thisMachine() {
  const report = process.platform === 'linux' ? process.report.getReport() : { header: {} };
  return {
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    glibc: report.header.glibcVersionRuntime,
  };
}

/** Python 3 with pip: the client of the Python package index. */
export async function requirePip() {
  await mustRun(
    'python3',
    ['--version'],
    'Python 3 was not found; install it (Debian and Ubuntu: `apt-get install python3 python3-pip`) and run `npm run setup` again.',
  );
  await mustRun(
    'python3',
    ['-m', 'pip', '--version'],
    'pip for Python 3 was not found; install it (Debian and Ubuntu: `apt-get install python3-pip`) and run `npm run setup` again.',
  );
}

/** The C++ compiler that builds TensorFlow's binding to Node.js. */
export async function requireCompiler(compiler) {
  await mustRun(
    compiler,
    ['--version'],
    `The C++ compiler ${compiler} was not found; install it (Debian and Ubuntu: \`apt-get install g++\`) or name another in CXX, and run \`npm run setup\` again.`,
  );
}

async function mustRun(command, args, sentence) {
  try {
    await execute(command, args, { timeout: 60_000 });
  } catch (error) {
    throw new SetupFailure(sentence, { detail: error.message, cause: error });
  }
}

/** Makes the folder if need be and proves that it can be written to. */
export function requireWritable(folder) {
  const probe = join(folder, `.writable-${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    if (/ENOSPC|EDQUOT/.test(error.code)) throw asFailure(error, { doing: `Writing to ${folder}` });
    throw new SetupFailure(
      `The folder ${folder} cannot be written (${error.code}); fix its owner or permissions, or point SEMLINK_CACHE at a folder of yours.`,
      { detail: error.stack, cause: error },
    );
  }
}

/** Room for what is about to be written under `folder`, in bytes. */
export function requireSpace(folder, bytes, purpose) {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (value) => `${(value / 1e9).toFixed(1)} GB`;
  throw new SetupFailure(
    `${purpose} needs ${gigabytes(bytes)} of free disk under ${folder} and there are ${gigabytes(bavail * bsize)}; free some space, or point SEMLINK_CACHE at a larger disk, and run \`npm run setup\` again.`,
  );
}
