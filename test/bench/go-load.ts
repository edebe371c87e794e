/** The load of this project in Go (`go-load/`): built where Go is, and run as another process. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { LoadShape } from '../../deploy/cli/bench/link-load.js';
import { projectRoot } from '../../shared/build/compiled.js';

const run = promisify(execFile);

/** What the program prints. */
const measurement = z.object({
  images_per_second: z.number(),
  images: z.int(),
  latency_ms: z.record(z.enum(['p50', 'p90', 'p99', 'p99.9', 'max']), z.number()),
  load_us: z.number(),
  total_images: z.int(),
});

/** A measurement: names as in `semlink bench link --json`; `total_images` counts warm-up and end too. */
export type GoLoadMeasurement = z.infer<typeof measurement>;

/** Whether the program can be built here. */
export async function hasGo(): Promise<boolean> {
  return run('go', ['version']).then(
    () => true,
    () => false,
  );
}

/**
 * Generates its messages from proto/ and builds it: a minute the first time, then what Go has cached.
 *
 * @param folder where the program goes
 * @returns its path
 */
export async function buildGoLoad(folder: string): Promise<string> {
  const source = path.join(projectRoot, 'test/bench/go-load');
  const program = path.join(folder, 'go-load');
  await mkdir(folder, { recursive: true });
  await run('npx', ['buf', 'generate', path.join(projectRoot, 'proto')], { cwd: source });
  const env = { ...process.env, CGO_ENABLED: '0' };
  await run('go', ['build', '-trimpath', '-o', program, '.'], { cwd: source, env });
  return program;
}

/**
 * Loads a link in a closed loop.
 *
 * @param link `address` of its transmitter-encoder, `host:port`; `k` channel uses an image, one of the model's
 * @throws Error when a stream breaks off or an image is answered by an error
 */
export async function runGoLoad(
  program: string,
  link: { address: string; k: number; model?: string },
  { perMessage, inFlight, streams }: LoadShape,
  { warmSeconds, seconds }: { warmSeconds: number; seconds: number },
): Promise<GoLoadMeasurement> {
  const flags = {
    address: link.address,
    k: link.k,
    model: link.model ?? '',
    'per-message': perMessage,
    'in-flight': Math.max(inFlight, perMessage),
    streams,
    warm: `${warmSeconds}s`,
    measure: `${seconds}s`,
  };
  const { stdout } = await run(
    program,
    Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
  );
  return measurement.parse(JSON.parse(stdout));
}
