// Which npm packages an image needs: those that its compiled code imports, and all that they depend on.
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix } from 'node:path';

const IMPORTS = [
  /\bfrom\s*['"]([^'"\s]+)['"]/g,
  /^import\s*['"]([^'"\s]+)['"]/gm,
  /\bimport\(\s*['"]([^'"\s]+)['"]/g,
  /createRequire\(import\.meta\.url\)(?:\.resolve)?\(['"]([^'"]+)['"]\)/g,
];
/** Modules that are started as a thread or a process: `compiledModule('shared/tensor/engine-worker.ts')`. */
const STARTED = /\bcompiledModule\(\s*['"]([^'"]+)\.ts['"]/g;

/**
 * Names of the packages that compiled modules import, directly or by way of other modules of the project, those loaded
 * later included.
 *
 * @param {string} dist folder of compiled modules
 * @param {string[]} entries paths from it
 * @returns {Set<string>}
 */
export function importedPackages(dist, entries) {
  const seen = new Set();
  const packages = new Set();
  const due = entries.map((entry) => join(dist, entry));
  for (let file = due.pop(); file !== undefined; file = due.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, started] of text.matchAll(STARTED)) due.push(join(dist, `${started}.js`));
    for (const pattern of IMPORTS) {
      for (const [, name] of text.matchAll(pattern)) {
        if (name.startsWith('.')) due.push(join(dirname(file), name));
        else if (isPackage(name)) packages.add(packageOf(name));
      }
    }
  }
  return packages;
}

/** What stands in a string of the code may look like an import: only names that npm would allow count. */
const isPackage = (name) =>
  /^(@[a-z0-9-][a-z0-9._-]*\/)?[a-z0-9-][a-z0-9._-]*(\/|$)/.test(name) &&
  !name.startsWith('node:') &&
  !builtinModules.includes(name);

const packageOf = (name) =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');

/**
 * Folders of `names` and of everything they depend on, as the lock file places them (`node_modules/a/node_modules/b`).
 * Optional packages that are not installed on this machine (those of another system) are left out.
 *
 * @param {string} root checkout with node_modules
 * @param {Iterable<string>} names
 * @returns {Set<string>}
 * @throws Error for a package that the lock file does not have
 */
export function packageFolders(root, names) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const visit = (name, from, optional) => {
    const folder = placeOf(packages, name, from);
    if (folder === undefined || !existsSync(join(root, folder))) {
      if (optional) return;
      throw new Error(`${name}, which ${from || 'the code'} needs, is not installed: run "npm run setup"`);
    }
    if (found.has(folder)) return;
    found.add(folder);
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = packages[folder];
    for (const dependency of Object.keys(dependencies)) visit(dependency, folder, dependency in optionalDependencies);
    for (const dependency of Object.keys(optionalDependencies)) visit(dependency, folder, true);
    for (const dependency of Object.keys(peerDependencies)) {
      if (!peerDependenciesMeta[dependency]?.optional) visit(dependency, folder, true);
    }
  };
  for (const name of names) visit(name, '', false);
  return found;
}

/** Where Node.js finds `name` from the package in `folder`: its own node_modules, else the nearest above. */
function placeOf(packages, name, folder) {
  for (let place = folder; ; place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))) {
    const path = posix.join(place, 'node_modules', name);
    if (path in packages) return path;
    if (place === '') return undefined;
  }
}
