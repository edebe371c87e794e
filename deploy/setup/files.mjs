// Small file operations that stay correct when the process is killed between any two instructions.
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Prefix of every unfinished folder in the cache; whoever holds the cache's lock may delete what others left. */
export const UNFINISHED = 'unfinished-';

/** Writes `path` whole or not at all (temporary name, then rename). Parent folders are made. */
export function writeWhole(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/** An empty folder in `cache` for work in progress; on the same file system, so results can be renamed into place. */
export function unfinishedFolder(cache) {
  return mkdtempSync(join(cache, UNFINISHED));
}

/** The parsed JSON file, or undefined when it is missing, unreadable or damaged. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** SHA-256 of a string or of bytes, in hexadecimal. */
export function sha256(content) {
  return createHash('sha256').update(content).digest('hex');
}

/** SHA-256 of a file of any size, in hexadecimal. */
export async function sha256OfFile(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** `{size, mtimeMs}` of a file, or undefined. Cheap evidence that a large, once verified file is still the same. */
export function fingerprint(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? { size: found.size, mtimeMs: Math.trunc(found.mtimeMs) } : undefined;
}

/** Whether every file of `{relativePath: fingerprint}` under `folder` still looks as recorded. */
export function unchanged(folder, recorded) {
  if (recorded === undefined || recorded === null || typeof recorded !== 'object') return false;
  return Object.entries(recorded).every(([name, before]) => {
    const now = fingerprint(join(folder, name));
    return now !== undefined && now.size === before?.size && now.mtimeMs === before?.mtimeMs;
  });
}

/** Bytes under a folder; what disappears while it is being counted does not count. */
export async function sizeOfFolder(folder) {
  let total = 0;
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath ?? entry.path, entry.name)).catch(() => undefined);
    total += found?.size ?? 0;
  }
  return total;
}
