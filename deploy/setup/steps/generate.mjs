// TypeScript from the protobuf contract.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SetupFailure } from '../failure.mjs';
import { readJson, sha256, writeWhole } from '../files.mjs';
import { runProgram } from '../programs.mjs';

const PLUGIN = 'node_modules/@bufbuild/protoc-gen-es/package.json';

/** Inside the generated folder, so that removing it makes the step due. */
const recordPath = (root) => join(root, 'shared', 'gen', '.semlink.json');

const protoFiles = (root) =>
  readdirSync(join(root, 'proto'), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.proto'))
    .sort();

function inputs(root) {
  const names = ['buf.gen.yaml', 'buf.yaml', ...protoFiles(root).map((name) => join('proto', name)), PLUGIN];
  return sha256(JSON.stringify(names.map((name) => [name, readFileSync(join(root, name), 'utf8')])));
}

export const generate = {
  title: 'Generated code',

  async isDone({ root }) {
    if (!existsSync(join(root, PLUGIN))) return false;
    const there = protoFiles(root).every((name) =>
      existsSync(join(root, 'shared', 'gen', name.replace(/\.proto$/, '_pb.ts'))),
    );
    return there && readJson(recordPath(root))?.inputs === inputs(root);
  },

  async run({ root }) {
    rmSync(recordPath(root), { force: true });
    const bin = join(root, 'node_modules', '.bin');
    try {
      const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
      await runProgram(join(bin, 'buf'), ['generate'], { cwd: root, env });
    } catch (error) {
      throw new SetupFailure('Generating code from proto/ failed; `npx buf lint` says what is wrong with it.', {
        detail: `${error.message}\n${error.output ?? ''}`,
        cause: error,
      });
    }
    writeWhole(recordPath(root), JSON.stringify({ inputs: inputs(root) }));
  },
};
