// TypeScript to JavaScript, into dist/.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { SetupFailure } from '../failure.mjs';
import { readJson, sha256, writeWhole } from '../files.mjs';
import { runProgram } from '../programs.mjs';

const FOLDERS = ['services', 'shared', 'deploy', 'test'];

/** Inside dist/, so that removing it makes the step due. */
const recordPath = (root) => join(root, 'dist', '.semlink.json');

/** Relative paths of all sources, sorted. */
function sources(root) {
  const found = [];
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && entry.name !== 'node_modules') visit(path);
      else if (/\.[cm]?ts$/.test(entry.name)) found.push(relative(root, path));
    }
  };
  for (const name of FOLDERS) if (existsSync(join(root, name))) visit(join(root, name));
  return found.sort();
}

function inputs(root) {
  const names = ['tsconfig.json', 'package-lock.json', ...sources(root)];
  return sha256(names.map((name) => `${name} ${sha256(readFileSync(join(root, name)))}`).join('\n'));
}

/** What a removed or renamed source left behind in dist/ would still be found by an import. */
function removeLeftovers(root) {
  const dist = join(root, 'dist');
  for (const entry of readdirSync(dist, { recursive: true }).map(String)) {
    const name = /^(.*)\.([cm]?)js(\.map)?$/.exec(entry);
    if (name && !existsSync(join(root, `${name[1]}.${name[2]}ts`))) rmSync(join(dist, entry));
  }
}

export const build = {
  title: 'Build',

  async isDone({ root }) {
    const record = readJson(recordPath(root));
    return record !== undefined && record.inputs === inputs(root);
  },

  async run({ root }) {
    const dist = join(root, 'dist');
    const before = inputs(root);
    // Without the record, dist/ is not what the compiler's own notes say: an interrupted or a removed build. Start anew.
    if (!existsSync(recordPath(root))) rmSync(join(dist, '.tsbuildinfo'), { force: true });
    rmSync(recordPath(root), { force: true });
    try {
      await runProgram(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root], {
        cwd: root,
      });
    } catch (error) {
      const first = (error.output ?? '').split('\n').find((line) => /error TS\d+/.test(line)) ?? error.message;
      throw new SetupFailure(`Building failed: ${first.trim()}; \`npm run typecheck\` lists all of it.`, {
        detail: error.output ?? '',
        cause: error,
      });
    }
    removeLeftovers(root);
    writeWhole(recordPath(root), JSON.stringify({ inputs: before }));
  },
};
