// npm packages, exactly as locked, with their install scripts off.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { asFailure, SetupFailure } from '../failure.mjs';
import { readJson, sha256, writeWhole } from '../files.mjs';
import { requireSpace } from '../prerequisites.mjs';
import { runProgram } from '../programs.mjs';
import { watching } from '../watching.mjs';

const NEEDED_BYTES = 1.2e9;

/** Inside node_modules, so that whatever removes the packages removes the claim that they are there. */
const stampPath = (root) => join(root, 'node_modules', '.semlink-packages');

/** The npm that started us, else the one on the path: `[command, ...arguments]`. */
export function npmCommand(env = process.env) {
  const path = env.npm_execpath;
  return path && basename(path) === 'npm-cli.js' && existsSync(path) ? [process.execPath, path] : ['npm'];
}

/** @param {Error} cause */
export const npmMissing = (cause) =>
  new SetupFailure(
    'npm was not found; it comes with Node.js from nodejs.org (Debian and Ubuntu: `apt-get install npm`): install it and run `npm run setup` again.',
    { cause },
  );

/** Whether every locked package that this machine needs is there at its locked version, and nothing else. */
function matchesLock(root, lock) {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed || !lock?.packages) return false;
  const wanted = Object.entries(lock.packages).filter(([path]) => path !== '');
  const complete = wanted.every(([path, { version, optional }]) => {
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
  return complete && Object.keys(installed).every((path) => path in lock.packages);
}

/** A package folder that vanished makes the step due again. */
function foldersThere(root, lock) {
  return Object.entries(lock?.packages ?? {}).every(
    ([path, { optional, link }]) => path === '' || optional || link || existsSync(join(root, path, 'package.json')),
  );
}

export const packages = {
  title: 'npm packages',

  async isDone({ root }) {
    const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
    const lock = JSON.parse(text);
    if (!foldersThere(root, lock)) return false;
    const stamp = stampPath(root);
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sha256(text)) return true;
    if (!matchesLock(root, lock)) return false;
    writeWhole(stamp, sha256(text)); // installed by hand, and right
    return true;
  },

  async run({ root, progress }) {
    requireSpace(root, NEEDED_BYTES, 'Installing the npm packages');
    const [command, ...first] = npmCommand();
    const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
    const folders = Object.keys(JSON.parse(lock).packages).filter((path) => path !== '');
    const count = () => folders.filter((path) => existsSync(join(root, path, 'package.json'))).length;
    const args = [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    try {
      await watching(
        progress,
        () => `${count()} of about ${folders.length}`,
        () => runProgram(command, args, { cwd: root }),
      );
    } catch (error) {
      if (error.code === 'ENOENT' && error.path === command) throw npmMissing(error);
      throw asFailure(error, { doing: 'Installing the npm packages', folder: root });
    }
    writeWhole(stampPath(root), sha256(lock));
  },
};
