// Where everything big lives. The same rule as shared/data/cache.ts, which the compiled code uses (a test compares them).
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * SEMLINK_CACHE, else $XDG_CACHE_HOME/semlink, else ~/.cache/semlink; always absolute.
 *
 * @param {NodeJS.ProcessEnv} [env]
 */
export function cacheFolder(env = process.env) {
  if (env.SEMLINK_CACHE) return resolve(env.SEMLINK_CACHE);
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'semlink');
}
