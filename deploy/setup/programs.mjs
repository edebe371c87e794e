// Running other programs: output kept for the details, none of them left behind.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const KEPT_OUTPUT = 64 * 1024;

/** Programs running now: each leads a process group of its own, so that all of it can be ended at once. */
const running = new Set();
/** @type {(pids: number[]) => void} */
let onChange = () => {};

/** Calls `listener` with the ids of the running programs whenever they change. */
export function watchPrograms(listener) {
  onChange = listener;
}

/** Ends every program that is still running, with all its children, at once. */
export function endPrograms() {
  for (const pid of running) endGroup(pid);
}

/** Ends the process group that `pid` leads. @param {number} pid */
export function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // already gone
  }
}

/**
 * When process `pid` started, in clock ticks since the machine did, or undefined when there is no such process (a zombie
 * counts as gone). Tells a process from a later one with the same id.
 *
 * @param {number} pid
 */
export function startOfProcess(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

/**
 * Runs a program to its end and resolves to what it wrote to standard output. Rejects with an error whose `output`
 * holds the last 64 KiB of both its streams, and whose `code` is ENOENT when there is no such program.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<string>}
 */
export async function runProgram(command, args, { cwd, env } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let stdout = '';
  const keep = (chunk) => {
    output = (output + chunk).slice(-KEPT_OUTPUT);
  };
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    keep(chunk);
    stdout = (stdout + chunk).slice(-KEPT_OUTPUT);
  });
  child.stderr.setEncoding('utf8').on('data', keep);
  const { pid } = child;
  if (pid !== undefined) {
    running.add(pid);
    onChange([...running]);
  }
  try {
    await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (code === 0) return resolve(undefined);
        const ending = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
        reject(Object.assign(new Error(`${command} ${ending}`), { output, exitCode: code }));
      });
    });
  } finally {
    if (pid !== undefined) {
      running.delete(pid);
      onChange([...running]);
    }
  }
  return stdout;
}
