import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../rpc/hop.fixture.js';
import type { ServingMessage } from '../rpc/run-service.js';
import { poolReadiness } from './pool-telemetry.js';
import { WorkerPool } from './worker-pool.js';
import type { WorkerProcess } from './worker-process.js';
import type { WorkerRole } from './worker-role.js';

const pools: WorkerPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop(0);
});

/** A real process that is told what to do: it serves at once unless it is to fail. */
const program = `
  const role = JSON.parse(process.argv[1]);
  if (role.fails) process.exit(3);
  process.on('SIGTERM', () => role.deaf || setTimeout(() => process.exit(role.status ?? 0), 20));
  process.on('disconnect', () => process.exit(9));
  const address = role.listen.endsWith(':0') ? role.listen.slice(0, -1) + process.pid : role.listen;
  process.send({ address });
  setInterval(() => {}, 1000);
`;

function run(role: WorkerRole, extra: object = {}): WorkerProcess {
  const child = spawn(process.execPath, ['-e', program, JSON.stringify({ ...role, ...extra })], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal!)),
  );
  const serving = new Promise<ServingMessage>((resolve, reject) => {
    child.once('message', (message) => resolve(message as ServingMessage));
    void ended.then((status) => reject(new Error(`worker ${role.index} ended before it served (${status})`)));
  });
  serving.catch(() => {});
  return { process: child, serving, ended };
}

function poolOf(count: number, start: (role: WorkerRole) => WorkerProcess = run) {
  const said: string[] = [];
  const say = (...[, sentence]: [object, string]) => said.push(sentence);
  const roles = Array.from({ length: count }, (_, index) => ({ index, count, listen: '127.0.0.1:0' }));
  const logger = { info: say, warn: say, error: say } as unknown as ConstructorParameters<
    typeof WorkerPool
  >[0]['logger'];
  const pool = new WorkerPool({ roles, start, logger, backoff: { baseMs: 20, maxMs: 200 } });
  pools.push(pool);
  return { pool, said };
}

describe('a pool of workers', () => {
  it('starts one again that was killed, at the address that it had, and leaves the others alone', async () => {
    const { pool, said } = poolOf(3);
    const addresses = (await pool.start()).map(({ address }) => address);
    expect(await poolReadiness(pool)).toEqual({ ready: true });
    const before = pool.states.map(({ pid }) => pid!);
    process.kill(before[1]!, 'SIGKILL');
    await until(() => pool.states[1]!.serving === undefined);
    expect(await poolReadiness(pool)).toEqual({ ready: false, reason: 'worker 1 is not running' });
    await until(() => pool.states[1]!.serving !== undefined);
    const after = pool.states;
    expect(after.map(({ serving }) => serving!.address)).toEqual(addresses);
    expect(after.map(({ restarts }) => restarts)).toEqual([0, 1, 0]);
    expect([after[0]!.pid, after[2]!.pid]).toEqual([before[0], before[2]]);
    expect(after[1]!.pid).not.toBe(before[1]);
    expect(said).toEqual(['worker 1 ended (SIGKILL); starting it again', 'worker 1 serves again']);
  });

  it('tries one that keeps failing more and more rarely', async () => {
    const starts: number[] = [];
    const { pool } = poolOf(1, (role) => {
      starts.push(performance.now());
      return run(role, { fails: starts.length > 1 && starts.length < 5 });
    });
    await pool.start();
    process.kill(pool.states[0]!.pid!, 'SIGKILL');
    await until(() => starts.length === 5 && pool.states[0]!.serving !== undefined, 20_000);
    const gaps = starts.slice(1).map((at, i) => at - starts[i]!);
    // 20, 40, 80, 160 ms, each a quarter more or less, and the time that a process takes.
    for (const [i, least] of [30, 60, 120].entries()) expect(gaps[i + 1]).toBeGreaterThan(least * 0.99);
    expect(pool.states[0]!.restarts).toBe(4);
  });

  it('fails as a whole when one fails at the start, and leaves none running', async () => {
    const workers: WorkerProcess[] = [];
    const { pool } = poolOf(3, (role) => {
      const worker = run(role, { fails: role.index === 1 });
      workers.push(worker);
      return worker;
    });
    await expect(pool.start()).rejects.toThrow('worker 1 ended before it served (3)');
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    expect(ends[1]).toBe(3);
  });

  it('drains all of them and says whether all ended cleanly; one that does not end is killed', async () => {
    const { pool } = poolOf(2);
    await pool.start();
    expect(await pool.stop(10_000)).toBe(true);
    const { pool: deaf } = poolOf(2, (role) => run(role, { deaf: role.index === 0 }));
    await deaf.start();
    expect(await deaf.stop(100)).toBe(false);
    expect(deaf.states.map(({ serving }) => serving)).toEqual([undefined, undefined]);
  });
});
