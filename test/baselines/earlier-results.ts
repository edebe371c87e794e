/** Results of an earlier sitting of a baseline, so that what is done is not done again. */
import { readFile } from 'node:fs/promises';
import { isMissing } from '../../shared/config/index.js';
import type { RunResult } from './run-result.js';

/**
 * The results in a file that was made with the same settings; none where there is no file.
 *
 * @param header what the file must say of itself besides its results
 * @throws Error when it is of other settings: results of two kinds must not be mixed
 */
export async function readResults(file: string, header: Record<string, unknown>): Promise<RunResult[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (text === undefined) return [];
  const { results, ...before } = JSON.parse(text) as { results: RunResult[] } & Record<string, unknown>;
  const odd = Object.keys(header).find((name) => JSON.stringify(before[name]) !== JSON.stringify(header[name]));
  if (odd === undefined) return results;
  throw new Error(
    `${file} is of other settings (${odd} is ${JSON.stringify(before[odd])}, not ${JSON.stringify(header[odd])}); ` +
      'remove it, or name another file by --json',
  );
}
