/** Programs for tests that come as source from the Go module proxy, each built once into the cache folder. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../shared/data/cache.js';

const run = promisify(execFile);
/** The first build of the largest takes about two minutes on two cores. */
export const BUILD_LIMIT_MS = 15 * 60_000;

interface GoTool {
  /** Module with its version. */
  module: string;
  /** Folder of the main package inside it. */
  main: string;
  /** `-X` flags for the linker. */
  defines?: string;
}

const TOOLS = {
  'toxiproxy-server': { module: 'github.com/Shopify/toxiproxy/v2@v2.5.0', main: './cmd/server' },
  'docker-compose': {
    module: 'github.com/docker/compose/v2@v2.40.3',
    main: './cmd',
    defines: '-X github.com/docker/compose/v2/internal.Version=v2.40.3',
  },
} satisfies Record<string, GoTool>;

/** Path of a statically linked program; undefined, with one loud line, where it cannot be had. */
export async function goTool(name: keyof typeof TOOLS): Promise<string | undefined> {
  const { module, main, defines = '' }: GoTool = TOOLS[name];
  const version = module.slice(module.indexOf('@') + 1);
  const program = path.join(cacheFolder(), 'tools', `${name}-${version}`);
  if (existsSync(program)) return program;
  const work = await mkdir(path.dirname(program), { recursive: true })
    .then(() => mkdtemp(`${program}.`))
    .catch(() => undefined);
  try {
    if (work === undefined) throw new Error(`${path.dirname(program)} cannot be written`);
    process.stderr.write(`building ${module}, once; this can take minutes\n`);
    // Built inside its module, not by `go install`: that refuses modules with replace or exclude directives.
    const { stdout } = await run('go', ['mod', 'download', '-json', module], { timeout: BUILD_LIMIT_MS });
    const { Dir } = JSON.parse(stdout) as { Dir: string };
    const built = path.join(work, name);
    await run('go', ['build', '-trimpath', '-ldflags', `-s -w ${defines}`, '-o', built, main], {
      cwd: Dir,
      env: { ...process.env, CGO_ENABLED: '0' },
      timeout: BUILD_LIMIT_MS,
    });
    await rename(built, program);
    return program;
  } catch (error) {
    const reason = (error as Error).message.split('\n').slice(0, 3).join(' ').slice(0, 300);
    if (process.env.SEMLINK_REQUIRE_DOCKER === '1')
      throw new Error(`${name} cannot be had: ${reason}`, { cause: error });
    process.stderr.write(`\n*** TESTS WITH ${name.toUpperCase()} ARE SKIPPED: ${reason} ***\n\n`);
    return undefined;
  } finally {
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  }
}
