/** deploy/try-cluster.sh where there is no cluster. With one, running it is the test (test/cluster). */
import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { hasShellcheck } from './chart.fixture.js';

const script = path.join(projectRoot, 'deploy/try-cluster.sh');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-try-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function program(name: string, text: string): Promise<void> {
  await writeFile(path.join(folder, name), `#!/bin/bash\n${text}\n`);
  await chmod(path.join(folder, name), 0o755);
}

function tryCluster(...args: string[]): Promise<{ status: number; said: string }> {
  return new Promise((resolve) => {
    const env = { PATH: `${folder}:/usr/bin:/bin`, KUBECONFIG: path.join(folder, 'none'), HOME: folder };
    execFile('/bin/bash', [script, ...args], { env }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, said: stdout + stderr });
    });
  });
}

describe('deploy/try-cluster.sh', () => {
  it('says what it does and how', async () => {
    const { status, said } = await tryCluster('--help');
    expect(status).toBe(0);
    for (const option of ['--release', '--images', '--rate', '--links', '--keep', '--registry'])
      expect(said).toContain(option);
  });

  it.each([
    [['--nonsense'], 'unknown option --nonsense'],
    [['--images'], '--images needs a value'],
    [['--images', 'many'], '"many" is no whole number'],
    [['--images', '10', '--links', '3'], 'cannot be shared evenly'],
  ])('refuses %j', async (args, why) => {
    expect(await tryCluster(...args)).toMatchObject({ status: 2, said: expect.stringContaining(why) });
  });

  it('says what is missing, one thing after the other', async () => {
    await program('kubectl', 'echo "error: current-context is not set" >&2; exit 1');
    expect(await tryCluster()).toMatchObject({ status: 2, said: expect.stringContaining('helm is not on PATH') });
    await program('helm', 'exit 0');
    expect(await tryCluster()).toMatchObject({ status: 2, said: expect.stringContaining('points to no cluster') });
    await program('kubectl', '[[ "$1" == config ]] && echo far-away || exit 1');
    const { status, said } = await tryCluster();
    expect(status).toBe(2);
    expect(said).toContain('the cluster "far-away" does not answer');
  });

  it.runIf(hasShellcheck)('and the other scripts here are without complaint by shellcheck', () => {
    const scripts = [
      script,
      ...[
        '.ci/helm.sh',
        '.ci/cluster.sh',
        '.ci/build-cluster.sh',
        'test/cluster/local-cluster.sh',
        'test/cluster/addons.sh',
      ].map((one) => path.join(projectRoot, one)),
    ];
    const { stdout, status } = spawnSync('shellcheck', ['--external-sources', '--shell=bash', ...scripts], {
      encoding: 'utf8',
      cwd: projectRoot,
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
