import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The folder for everything big that can be fetched again: SEMLINK_CACHE, else $XDG_CACHE_HOME/semlink, else
 * ~/.cache/semlink. Always absolute; not necessarily there. The set-up, which runs before anything is compiled, has the
 * same rule in deploy/setup/cache-folder.mjs.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SEMLINK_CACHE) return resolve(env.SEMLINK_CACHE);
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'semlink');
}
