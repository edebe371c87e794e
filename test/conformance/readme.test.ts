/** What the README shows must work as it stands there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { startTestLink, type TestLink, testImages } from '../integration/link.fixture.js';

const run = promisify(execFile);
let readme: string;
let link: TestLink;

beforeAll(async () => {
  readme = await readFile(path.join(projectRoot, 'README.md'), 'utf8');
  link = await startTestLink();
});
afterAll(() => link?.stop());

const block = (language: string, part: string) =>
  [...readme.matchAll(/```(\w+)\n([^`]*)```/g)].find(
    ([, name, text]) => name === language && text!.includes(part),
  )?.[2];

test('the client example classifies an image', async () => {
  const example = block('ts', 'SemanticLink');
  expect(example).toContain("address: '127.0.0.1:50051'");
  const [image] = await testImages(1);
  // Inside the project, so that `import 'semlink'` finds it as it would in node_modules.
  const folder = await mkdtemp(path.join(projectRoot, 'dist', 'readme-'));
  try {
    const script = path.join(folder, 'example.mjs');
    const rgb = `const rgb = Uint8Array.from([${image!.rgb.join()}]);`;
    await writeFile(script, `${rgb}\n${example!.replace('127.0.0.1:50051', link.address)}\nprocess.exit();\n`);
    const { stdout, stderr } = await run(process.execPath, [script], { timeout: 20_000 });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^\d \d+ \d+\.\d+\n$/);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);

test('every command it shows exists, with these options', async () => {
  const shown = block('sh', 'semlink send')!.match(/^npx semlink [^#\n]*/gm)!;
  expect(shown.length).toBeGreaterThan(4);
  for (const line of shown) {
    const [, , command, ...args] = line.trim().split(/\s+/);
    const flags = args.filter((arg) => arg.startsWith('--'));
    const { stdout } = await run(process.execPath, ['deploy/cli/semlink.mjs', command!, '--help'], {
      cwd: projectRoot,
    });
    for (const flag of flags) expect(stdout, `${command} ${flag}`).toContain(flag);
  }
}, 60_000);
