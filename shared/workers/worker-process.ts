import { type ChildProcess, spawn } from 'node:child_process';
import type { ServingMessage } from '../rpc/run-service.js';
import { type WorkerRole, workerEnvironment } from './worker-role.js';

/** A worker that is running. */
export interface WorkerProcess {
  readonly process: ChildProcess;
  /** What it says once it serves; rejects when it ends before. */
  readonly serving: Promise<ServingMessage>;
  /** Exit status, or the name of the signal that killed it. */
  readonly ended: Promise<number | string>;
}

/** Starts this very program again, with the same arguments and flags of Node, as one of its workers. */
export function startWorker(role: WorkerRole): WorkerProcess {
  const [node, main, ...argv] = process.argv as [string, string, ...string[]];
  const child = spawn(node, [...process.execArgv, main, ...argv], {
    // Over the channel it tells when it serves, and hears when this process has gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...workerEnvironment(role) },
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.once('error', (error) => resolve(error.message));
  });
  const serving = new Promise<ServingMessage>((resolve, reject) => {
    child.once('message', (message) => resolve(message as ServingMessage));
    void ended.then((status) => reject(new Error(`worker ${role.index} ended before it served (${status})`)));
  });
  // Whoever does not wait for it learns of the end all the same.
  serving.catch(() => {});
  return { process: child, serving, ended };
}
