/** A real S3 server for tests: versitygw on a folder, installed once from the Go module proxy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder } from '../../shared/data/cache.js';

const VERSION = 'v1.8.0';
const MODULE = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`;
/** The first build takes about two minutes on two cores. */
export const INSTALL_LIMIT_MS = 15 * 60_000;
const START_LIMIT_MS = 20_000;

export interface S3Server {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** A bucket that is there. */
  readonly bucket: string;
  /** Environment that gives access. */
  readonly env: Record<string, string>;
  /** Folder that holds the bucket's objects as files. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** The server's program, built on first use; undefined, with one loud line, where it cannot be had. */
export async function s3Program(): Promise<string | undefined> {
  const folder = path.join(cacheFolder(), 'versitygw', VERSION);
  const program = path.join(folder, 'versitygw');
  if (existsSync(program)) return program;
  const building = `${folder}.${process.pid}`;
  try {
    await mkdir(building, { recursive: true });
    process.stderr.write(`installing ${MODULE}, once; this takes a few minutes\n`);
    await run('go', ['install', MODULE], { ...process.env, GOBIN: building, CGO_ENABLED: '0' });
    await rename(building, folder);
    return program;
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    // Another test may have built it in the meantime.
    if (existsSync(program)) return program;
    process.stderr.write(
      `\n*** THE S3 TESTS ARE SKIPPED: versitygw cannot be had here (${(error as Error).message}); they need Go 1.24 and the Go module proxy ***\n\n`,
    );
    return undefined;
  }
}

/** Starts the server on a free port with an empty bucket. */
export async function startS3Server(program: string): Promise<S3Server> {
  const root = await mkdtemp(path.join(tmpdir(), 'semlink-s3-'));
  const bucket = 'knowledge';
  await mkdir(path.join(root, 'data', bucket), { recursive: true });
  await mkdir(path.join(root, 'metadata'));
  const address = `127.0.0.1:${await freePort()}`;
  const [access, secret] = ['semlink-test', 'semlink-test-secret'];
  const args = ['--quiet', '--port', address, '--access', access, '--secret', secret];
  // Beside the objects, for temporary folders often take no extended attributes.
  const backend = ['posix', '--sidecar', path.join(root, 'metadata'), path.join(root, 'data')];
  const child = spawn(program, [...args, ...backend], { stdio: 'ignore' });
  const endpoint = `http://${address}`;
  await untilServing(child, endpoint);
  return {
    endpoint,
    bucket,
    folder: path.join(root, 'data', bucket),
    env: { AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: 'us-east-1' },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function untilServing(child: ChildProcess, endpoint: string): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    // Any answer will do, also that access is denied.
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (child.exitCode !== null || Date.now() > limit) throw new Error(`versitygw does not serve ${endpoint}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: INSTALL_LIMIT_MS });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-300);
    });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} failed: ${said.trim()}`))));
  });
}
