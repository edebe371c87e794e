/** Images of programs that this machine has: stand-ins for those of a registry that is not always to be had. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ContainerRuntimeClient } from 'testcontainers';

const run = promisify(execFile);

/** Tag of every image made here. */
export const LOCAL_TAG = 'of-this-machine';

/**
 * Makes the image `semlink-test/NAME:of-this-machine` of a program on PATH and the libraries it is linked with: nothing else
 * is in it but a folder to work in. Undefined, with one loud line, where there is no such program.
 *
 * @param folder where the program works, for example the mount point of its volume
 */
export async function programImage(
  { container: { dockerode } }: ContainerRuntimeClient,
  name: string,
  folder = '/',
): Promise<string | undefined> {
  const program = await run('sh', ['-c', 'command -v "$0"', name]).then(
    ({ stdout }) => realpath(stdout.trim()),
    () => undefined,
  );
  if (program === undefined) {
    process.stderr.write(`\n*** NOT TESTED IN CONTAINERS: there is no program ${name} on PATH ***\n\n`);
    return undefined;
  }
  const root = await mkdtemp(path.join(tmpdir(), `semlink-image-${name}-`));
  try {
    await mkdir(path.join(root, 'tmp'));
    await mkdir(path.join(root, folder), { recursive: true });
    for (const file of [program, ...(await librariesOf(program))]) {
      const target = path.join(root, file === program ? `bin/${name}` : file);
      await mkdir(path.dirname(target), { recursive: true });
      await copyFile(file, target);
    }
    const tar = spawn('tar', ['-C', root, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const repository = `semlink-test/${name}`;
    const changes = [`ENTRYPOINT ["/bin/${name}"]`, `WORKDIR ${folder}`];
    const answer = await dockerode.importImage(tar.stdout, { repo: repository, tag: LOCAL_TAG, changes });
    answer.resume();
    await once(answer, 'end');
    await dockerode.getImage(`${repository}:${LOCAL_TAG}`).inspect();
    return repository;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Of a program that is linked dynamically: its libraries and the loader, by the paths it asks for. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
  return [...new Set(stdout.match(/\/[^ )\n]+/g) ?? [])].filter((file) => file !== program);
}
