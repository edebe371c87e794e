import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The project's root: the nearest folder above this file that holds package.json. */
export const projectRoot: string = (() => {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error('package.json not found above the SemLink sources');
    folder = parent;
  }
  return folder;
})();

/**
 * Compiled form of a source module, for what has to start a thread or a process, also from uncompiled tests.
 *
 * @param source path of the module from the project's root, `shared/tensor/engine-worker.ts`
 */
export function compiledModule(source: string): URL {
  return pathToFileURL(path.join(projectRoot, 'dist', source.replace(/\.ts$/, '.js')));
}
