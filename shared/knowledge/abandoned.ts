import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isMissing } from '../config/index.js';

/** Begins the name of what is being written; never listed, and removed when the write fails. */
export const UNFINISHED = '.unfinished';

/**
 * After how long without a byte an unfinished file counts as left by a process that was killed, ms. Whoever still writes
 * has sent more by then: a shard is computed before it is sent, and a dead connection is noticed within minutes.
 */
export const ABANDONED_MS = 60 * 60_000;

/**
 * Removes the unfinished files below a folder that nobody has written to for `ABANDONED_MS`, by the clock of this machine.
 *
 * @returns how many were removed; 0 when there is no such folder
 */
export async function removeAbandoned(folder: string): Promise<number> {
  let entries: { name: string; isDirectory(): boolean; isFile(): boolean }[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
  let removed = 0;
  for (const entry of entries) {
    const place = path.join(folder, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.')) removed += await removeAbandoned(place);
    if (!entry.isFile() || !entry.name.startsWith(`${UNFINISHED}-`)) continue;
    try {
      if (Date.now() - (await stat(place)).mtimeMs < ABANDONED_MS) continue;
      await rm(place);
      removed++;
    } catch (error) {
      // Its writer has come to an end meanwhile, or another process cleans up, too.
      if (!isMissing(error)) throw error;
    }
  }
  return removed;
}
