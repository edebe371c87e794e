import type { z } from 'zod';
import type { ConfigDefinition } from './define.js';
import { ConfigError } from './error.js';
import { type LoadResult, loadConfig } from './load.js';

/** Exit status of a program that was started with bad arguments, as the shell's own commands use it. */
export const EXIT_USAGE = 2;

/**
 * `loadConfig` for a `main.ts`: prints help and exits 0, or prints what is wrong and exits 2, or returns the values.
 *
 * @param argv default: this process's arguments
 * @param env default: this process's environment
 */
export function loadConfigOrExit<F extends z.ZodRawShape>(
  definition: ConfigDefinition<F>,
  argv: readonly string[] = process.argv.slice(2),
  env: Readonly<Record<string, string | undefined>> = process.env,
): Extract<LoadResult<z.output<z.ZodObject<F, z.core.$strict>>>, { text?: never }> {
  let loaded: LoadResult<z.output<z.ZodObject<F, z.core.$strict>>>;
  try {
    loaded = loadConfig(definition, { argv, env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.problems.map((problem) => `${definition.usage}: ${problem}\n`);
    process.stderr.write(`${lines.join('')}Try ${definition.usage} --help.\n`);
    process.exit(EXIT_USAGE);
  }
  if (loaded.text !== undefined) {
    process.stdout.write(loaded.text);
    process.exit(0);
  }
  return loaded;
}
