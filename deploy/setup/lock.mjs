// One set-up at a time for a checkout, and for a cache folder. A lock outlives its holder only until the next set-up.
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson, writeWhole } from './files.mjs';
import { endGroup, startOfProcess } from './programs.mjs';

const POLL_MS = 300;
const HEARTBEAT_MS = 5000;
/** A holder that cannot be asked (another machine or container) is taken for dead after this long without a heartbeat. */
const SILENT_MS = 60_000;

/** Where process ids mean the same thing: this boot of this machine, in this process-id namespace. */
function place() {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return 'unknown';
  }
}

/** Whether the process that wrote `holder` into the lock at `path` is gone. */
function isStale(path, holder) {
  const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (!Number.isInteger(holder?.pid)) return age > POLL_MS * 10; // damaged; writing one takes no time
  if (holder.place !== place()) return age > SILENT_MS;
  const started = startOfProcess(holder.pid);
  return started === undefined || started !== holder.started;
}

/** What a killed set-up left running (npm, pip, g++) would write into the folders that the next one works on. */
async function endOrphans(holder) {
  if (holder?.place !== place()) return;
  for (const { pid, started } of holder.programs ?? []) {
    if (!Number.isInteger(pid) || startOfProcess(pid) !== started) continue;
    endGroup(pid);
    for (let i = 0; i < 50 && startOfProcess(pid) === started; i++) await sleep(100);
  }
}

/** Removes the lock of a dead holder; false when somebody else was quicker. */
function removeStale(path, holder) {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
    if (readJson(aside)?.id !== holder?.id)
      linkSync(aside, path); // it was a new one: give it back
    else return true;
  } catch {
    // gone, or taken again: look anew
  } finally {
    rmSync(aside, { force: true });
  }
  return false;
}

/**
 * Creates the lock with its content in one act, so that nobody ever sees an empty one; false when it is there already.
 * File systems without hard links get the nearest thing.
 */
function create(path, content) {
  const candidate = `${path}.${process.pid}`;
  writeFileSync(candidate, content);
  try {
    linkSync(candidate, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(error.code)) throw error;
  } finally {
    rmSync(candidate, { force: true });
  }
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes what processes that were killed while taking or rewriting the lock left beside it. */
function removeLitter(path) {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    if (Number.isInteger(pid) && startOfProcess(pid) === undefined) rmSync(join(dirname(path), name), { force: true });
  }
}

/**
 * Takes the lock file at `path`, waiting as long as a living set-up holds it.
 *
 * @param {string} path
 * @param {{onWait?: (holder: {pid?: number}) => void, onTakeover?: (holder: {pid?: number}) => void}} [listeners]
 *   `onWait` is called once, when there is somebody to wait for
 * @returns {Promise<{record(pids: number[]): void, release(): void}>} `record` notes the programs that run on behalf of
 *   the holder, so that a successor can end them
 */
export async function takeLock(path, { onWait, onTakeover } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const id = randomUUID();
  const mine = { id, pid: process.pid, started: startOfProcess(process.pid), place: place(), programs: [] };
  let waiting = false;
  while (!create(path, JSON.stringify(mine))) {
    const holder = readJson(path);
    if (!existsSync(path)) continue;
    if (isStale(path, holder)) {
      await endOrphans(holder);
      if (removeStale(path, holder)) onTakeover?.(holder ?? {});
      continue;
    }
    if (!waiting) onWait?.(holder ?? {});
    waiting = true;
    await sleep(POLL_MS);
  }
  removeLitter(path);

  const heartbeat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch {
      // the folder was removed under us; the step at work will say so
    }
  }, HEARTBEAT_MS);
  heartbeat.unref();
  const isMine = () => readJson(path)?.id === id;
  return {
    record(pids) {
      if (!isMine()) return;
      const programs = pids.map((pid) => ({ pid, started: startOfProcess(pid) }));
      writeWhole(path, JSON.stringify({ ...mine, programs }));
    },
    release() {
      clearInterval(heartbeat);
      if (isMine()) rmSync(path, { force: true });
    },
  };
}
