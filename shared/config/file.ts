import { readFileSync } from 'node:fs';
import type { OptionInfo } from './define.js';
import { isObject } from './nested.js';
import { suggest } from './suggest.js';

/**
 * Reads a JSON configuration file into values by option key. Problems are appended, nothing throws.
 *
 * @param fileName relative to the working directory
 */
export function readConfigFile(
  options: readonly OptionInfo[],
  fileName: string,
  problems: string[],
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(fileName, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push(`Cannot read the configuration file ${fileName}: ${reason}. It must be a readable JSON object.`);
    return values;
  }
  if (!isObject(parsed)) {
    problems.push(`The configuration file ${fileName} must hold one JSON object, { "option": value, ... }.`);
    return values;
  }
  const keys = new Set(options.map((option) => option.key));
  const groups = new Set(options.filter(({ path }) => path.length > 1).map(({ path }) => path[0]));
  for (const [outer, value] of Object.entries(parsed)) {
    const isGroup = groups.has(outer) && isObject(value);
    const entries = isGroup
      ? Object.entries(value).map(([inner, leaf]) => [`${outer}.${inner}`, leaf] as const)
      : [[outer, value] as const];
    for (const [key, leaf] of entries) {
      if (keys.has(key)) {
        values.set(key, leaf);
      } else {
        const near = suggest(key, keys);
        problems.push(`Unknown option "${key}" in ${fileName}.${near ? ` Did you mean "${near}"?` : ''}`);
      }
    }
  }
  return values;
}
