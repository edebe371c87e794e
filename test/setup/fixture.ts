import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const REPOSITORY = join(import.meta.dirname, '../..');

/** Imports one of the set-up's plain modules; the caller states what it expects of it. */
export async function setupModule<Exports>(name: string): Promise<Exports> {
  return (await import(pathToFileURL(join(REPOSITORY, 'deploy/setup', name)).href)) as Exports;
}

/** How a program ended. */
export interface Ended {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A set-up under way. */
export interface Running {
  readonly pid: number;
  /** Standard error so far. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

/**
 * A checkout of its own in a temporary folder, with the real set-up and no packages, and a search path that holds
 * nothing but what a test puts there.
 */
export class Checkout {
  readonly #running = new Set<Running>();

  private constructor(readonly folder: string) {}

  static async create(): Promise<Checkout> {
    const checkout = new Checkout(await mkdtemp(join(tmpdir(), 'semlink-setup-')));
    await cp(join(REPOSITORY, 'deploy/setup'), join(checkout.root, 'deploy/setup'), { recursive: true });
    await mkdir(checkout.bin);
    await mkdir(checkout.home);
    await checkout.write('package.json', { name: 'fixture', version: '1.0.0', type: 'module' });
    await checkout.lockPackages({});
    return checkout;
  }

  get root(): string {
    return join(this.folder, 'root');
  }

  get bin(): string {
    return join(this.folder, 'bin');
  }

  get cache(): string {
    return join(this.folder, 'cache');
  }

  get home(): string {
    return join(this.folder, 'home');
  }

  /** Writes a file of the checkout: text as it is, anything else as JSON. */
  async write(path: string, content: unknown): Promise<void> {
    const whole = join(this.root, path);
    await mkdir(dirname(whole), { recursive: true });
    await writeFile(whole, typeof content === 'string' ? content : JSON.stringify(content));
  }

  /** Locks packages of the registry, `{'node_modules/x': {version}}`. */
  async lockPackages(locked: Record<string, { version: string }>): Promise<void> {
    const packages = { '': { name: 'fixture', version: '1.0.0' }, ...locked };
    await this.write('package-lock.json', { name: 'fixture', version: '1.0.0', lockfileVersion: 3, packages });
  }

  /** Makes the locked packages look installed by npm. */
  async installPackages(installed: Record<string, { version: string }>): Promise<void> {
    await this.write('node_modules/.package-lock.json', { lockfileVersion: 3, packages: installed });
    for (const [path, content] of Object.entries(installed)) await this.write(join(path, 'package.json'), content);
  }

  /** Puts a program of this machine on the search path. */
  async link(name: string, target: string): Promise<void> {
    await symlink(target, join(this.bin, name));
  }

  /** Puts a shell script on the search path. */
  async script(name: string, body: string): Promise<void> {
    await writeFile(join(this.bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }

  start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(process.execPath, [join(this.root, 'deploy/setup/setup.mjs'), ...args], {
      cwd: this.root,
      env: { PATH: this.bin, HOME: this.home, SEMLINK_CACHE: this.cache, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      // Not `close`: what the set-up started may outlive it, and holds no pipe of ours, but others might.
      child.on('exit', (code) => setImmediate(() => resolve({ code, stdout, stderr })));
    });
    const running: Running = { pid: child.pid ?? -1, said: () => stderr, kill: (signal) => child.kill(signal), ended };
    this.#running.add(running);
    ended.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  async run(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }

  async remove(): Promise<void> {
    for (const running of this.#running) running.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The last line: what a failing set-up has to say. */
export function lastLine({ stderr }: Ended): string {
  return stderr.trimEnd().split('\n').at(-1) ?? '';
}

/** Whether a process exists and is more than the entry of one that ended. */
export async function isAlive(pid: number): Promise<boolean> {
  const { startOfProcess } = await setupModule<{ startOfProcess(pid: number): number | undefined }>('programs.mjs');
  return startOfProcess(pid) !== undefined;
}

/** Polls until `condition` holds. @throws Error after ten seconds */
export async function eventually(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ten seconds in vain until ${what}`);
}
