import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Checkout, eventually, isAlive, lastLine, setupModule } from './fixture.js';

interface Lock {
  record(pids: number[]): void;
  release(): void;
}
interface Listeners {
  onWait?: (holder: { pid?: number }) => void;
  onTakeover?: (holder: { pid?: number }) => void;
}
const { takeLock } = await setupModule<{ takeLock(path: string, listeners?: Listeners): Promise<Lock> }>('lock.mjs');

let checkout: Checkout;
let path = '';
beforeEach(async () => {
  checkout = await Checkout.create();
  path = join(checkout.folder, 'locks', 'lock');
});
afterEach(async () => {
  await checkout.remove();
});

/** The content of a lock whose holder is gone: written by a real process that has ended. */
async function staleContent(change: object = {}): Promise<string> {
  const lock = await takeLock(path);
  const content = JSON.parse(readFileSync(path, 'utf8')) as object;
  lock.release();
  const child = spawn('true');
  await once(child, 'exit');
  return JSON.stringify({ ...content, pid: child.pid, started: 1, id: 'gone', ...change });
}

describe('takeLock', () => {
  it('lets one in at a time, the second after it said that it waits', async () => {
    const first = await takeLock(path);
    const waitedFor: unknown[] = [];
    let second: Lock | undefined;
    const taking = takeLock(path, { onWait: ({ pid }) => waitedFor.push(pid) }).then((lock) => {
      second = lock;
    });
    await eventually(() => waitedFor.length > 0, 'the second waits');
    expect(waitedFor).toEqual([process.pid]);
    expect(second).toBeUndefined();
    first.release();
    await taking;
    expect(existsSync(path)).toBe(true);
    second?.release();
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('takes over from a dead holder, and from an unrelated process with the same id', async () => {
    for (const change of [{}, { pid: process.pid, started: 12 }]) {
      writeFileSync(path, await staleContent(change));
      let takeovers = 0;
      const lock = await takeLock(path, { onTakeover: () => takeovers++ });
      expect(takeovers).toBe(1);
      lock.release();
    }
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('gives the lock of a dead holder to only one of many', async () => {
    writeFileSync(path, await staleContent());
    let inside = 0;
    let most = 0;
    const enter = async () => {
      const lock = await takeLock(path);
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
      lock.release();
    };
    await Promise.all(Array.from({ length: 6 }, enter));
    expect(most).toBe(1);
  });

  it('takes over from a holder elsewhere, or a damaged lock, only after a long silence', async () => {
    for (const content of [await staleContent({ place: 'another machine' }), '{"pid":']) {
      writeFileSync(path, content);
      let waiting = false;
      const taking = takeLock(path, {
        onWait: () => {
          waiting = true;
        },
      });
      await eventually(() => waiting, 'it waits');
      const longAgo = new Date(Date.now() - 120_000);
      utimesSync(path, longAgo, longAgo);
      (await taking).release();
    }
  });

  it('ends what a dead holder left running, and no other process', async () => {
    const orphan = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const other = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    try {
      const before = await takeLock(path);
      before.record([orphan.pid ?? -1]);
      const { programs } = JSON.parse(readFileSync(path, 'utf8')) as { programs: object[] };
      before.release();
      const others = [{ pid: other.pid, started: 1 }];
      writeFileSync(path, await staleContent({ programs: [...programs, ...others] }));
      const ended = once(orphan, 'exit');
      (await takeLock(path)).release();
      expect(await ended).toEqual([null, 'SIGKILL']);
      expect(await isAlive(other.pid ?? -1)).toBe(true);
    } finally {
      orphan.kill('SIGKILL');
      other.kill('SIGKILL');
    }
  });
});

describe('a set-up', () => {
  /** An npm that notes its process id and takes its time: `$$` is the shell's own. */
  const SLOW_NPM = 'echo $$ >> "$HOME/npm-pids"; exec sleep 60';
  const npmPids = () =>
    existsSync(join(checkout.home, 'npm-pids'))
      ? readFileSync(join(checkout.home, 'npm-pids'), 'utf8').trim().split('\n').map(Number)
      : [];

  beforeEach(async () => {
    await checkout.lockPackages({ 'node_modules/left': { version: '1.0.0' } });
    await checkout.script('npm', SLOW_NPM);
    await checkout.link('sleep', '/bin/sleep');
  });

  it('killed at work is taken over by the next, which ends what it left running', async () => {
    const first = checkout.start();
    await eventually(() => npmPids().length === 1, 'npm runs');
    mkdirSync(join(checkout.cache, 'unfinished-abc'));
    first.kill('SIGKILL');
    await first.ended;
    const [orphan = -1] = npmPids();
    expect(await isAlive(orphan)).toBe(true);

    await checkout.script('npm', 'echo "npm error nothing of the kind" >&2; exit 1');
    const second = await checkout.run();
    expect(second.stderr).toContain('An earlier set-up was interrupted; going on from where it was.');
    expect(lastLine(second)).toMatch(/^Installing the npm packages failed: .*nothing of the kind/);
    expect(await isAlive(orphan)).toBe(false);
    expect(readdirSync(checkout.cache)).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ended by %s leaves neither a program nor a lock', async (signal) => {
    const running = checkout.start();
    await eventually(() => npmPids().length === 1, 'npm runs');
    running.kill(signal);
    expect((await running.ended).code).toBe(signal === 'SIGTERM' ? 143 : 130);
    await eventually(async () => !(await isAlive(npmPids()[0] ?? -1)), 'npm is gone');
    expect(readdirSync(checkout.cache)).toEqual([]);
    expect(readdirSync(join(checkout.root, '.setup'))).toEqual([]);
  });

  it('waits for another one in the same folder, and says so', async () => {
    const first = checkout.start();
    await eventually(() => npmPids().length === 1, 'npm runs');
    const second = checkout.start();
    const sentence = `Another set-up (process ${first.pid}) is at work in this folder; waiting for it.`;
    await eventually(() => second.said().includes(sentence), 'the second waits');
    expect(npmPids().length).toBe(1); // it has not started an npm of its own
    first.kill('SIGTERM');
    await first.ended;
    await eventually(() => npmPids().length === 2, 'the second goes on');
    second.kill('SIGTERM');
    expect((await second.ended).code).toBe(143);
  });
});
