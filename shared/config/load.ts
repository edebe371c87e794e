import type { z } from 'zod';
import { CoerceError, coerce } from './coerce.js';
import { type ConfigDefinition, isKubernetesName, type OptionInfo } from './define.js';
import { ConfigError } from './error.js';
import { readConfigFile } from './file.js';
import { parseFlags } from './flags.js';
import { formatHelp } from './help.js';
import { deepFreeze, setAt } from './nested.js';
import { formatConfig } from './print.js';
import { suggest } from './suggest.js';
import { semlinkVersion } from './version.js';

/** Where a value came from. `name` is the flag, the variable or the file. */
export interface Source {
  readonly from: 'caller' | 'flag' | 'environment' | 'file' | 'default';
  readonly name: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadInput {
  /** Arguments without node and script: `process.argv.slice(2)`. */
  readonly argv?: readonly string[];
  /** Default: nothing, so that a test is not at the mercy of its surroundings; services pass `process.env`. */
  readonly env?: Environment;
  /** JSON file read when neither --config nor the environment names one. */
  readonly file?: string;
  /** Values by key (`listen`, `queue.maxBytes`) from code that embeds the program; they beat everything. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}

/** Either text to print instead of running (--help, --version, --print-config), or the configuration. */
export type LoadResult<C> =
  | { readonly text: string; readonly config?: never; readonly sources?: never }
  | {
      readonly text?: never;
      /** Plain frozen data. */
      readonly config: C;
      /** Source of each value by key. */
      readonly sources: ReadonlyMap<string, Source>;
      readonly positionals: readonly string[];
      /** Sentences worth logging, for example a variable that looks like a misspelt option. */
      readonly warnings: readonly string[];
    };

interface Found {
  readonly value: unknown;
  readonly source: Source;
}

/**
 * Resolves a configuration once: flags, then environment, then file, then default.
 *
 * @throws ConfigError with a sentence for every unknown name and every bad value
 */
export function loadConfig<F extends z.ZodRawShape>(
  definition: ConfigDefinition<F>,
  input: LoadInput = {},
): LoadResult<z.output<z.ZodObject<F, z.core.$strict>>> {
  const { options, envPrefix } = definition;
  const { env = {}, overrides = {} } = input;
  const flags = parseFlags(definition, input.argv ?? []);
  if (flags.help) return { text: formatHelp(definition) };
  if (flags.version) return { text: `${definition.name} ${semlinkVersion()}\n` };

  const problems = [...flags.problems];
  const fileName = flags.config ?? (env[`${envPrefix}CONFIG`] || input.file);
  const fileValues = fileName ? readConfigFile(options, fileName, problems) : new Map<string, unknown>();
  const strangers = Object.keys(overrides).filter((key) => !options.some((option) => option.key === key));
  problems.push(...strangers.map((key) => `Unknown option ${key} in overrides.`));

  const found = new Map<string, Found>();
  for (const option of options) {
    const { key, flag } = option;
    const candidates: [unknown, Source['from'], string][] = [
      [overrides[key], 'caller', 'the embedding program'],
      [flags.values.get(key), 'flag', `--${flag}`],
      // An empty variable counts as unset, as OpenTelemetry has it: not every launcher can unset one.
      [env[option.env] || undefined, 'environment', option.env],
      [fileValues.get(key), 'file', fileName ?? ''],
    ];
    const first = candidates.find(([value]) => value !== undefined);
    if (first) found.set(key, { value: first[0], source: { from: first[1], name: first[2] } });
  }

  const { raw, failed } = coerceAll(options, found, problems);
  const parsed = definition.schema.safeParse(raw);
  for (const issue of parsed.error?.issues ?? []) {
    const option = options.find(({ path }) => path.every((part, index) => part === issue.path[index]));
    if (!option || failed.has(option.key)) continue;
    failed.add(option.key);
    problems.push(describeIssue(option, found.get(option.key), issue));
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  const complaint = definition.check?.(parsed.data);
  if (complaint !== undefined) throw new ConfigError([complaint]);

  const sources = new Map<string, Source>(
    options.map(({ key }) => [key, found.get(key)?.source ?? { from: 'default', name: 'default' }]),
  );
  if (flags.printConfig) return { text: formatConfig(options, parsed.data, sources) };
  const warnings = unknownVariables(definition, env);
  return { config: deepFreeze(parsed.data), sources, positionals: flags.positionals, warnings };
}

function coerceAll(
  options: readonly OptionInfo[],
  found: ReadonlyMap<string, Found>,
  problems: string[],
): { raw: Record<string, unknown>; failed: Set<string> } {
  const raw: Record<string, unknown> = {};
  const failed = new Set<string>();
  for (const option of options) {
    const { key, path, shape, meta } = option;
    const one = found.get(key);
    try {
      const value = typeof one?.value === 'string' ? coerce(one.value, shape, meta.unit) : one?.value;
      // Also where nothing was found: the group around it must be there for the defaults in it.
      setAt(raw, path, value);
    } catch (error) {
      if (!one || !(error instanceof CoerceError)) throw error;
      failed.add(key);
      problems.push(describeProblem(option, one, meta.secret ? 'the value has the wrong form' : error.message));
    }
  }
  return { raw, failed };
}

function describeIssue(option: OptionInfo, found: Found | undefined, issue: z.core.$ZodIssue): string {
  const { flag, env, key, meta } = option;
  if (!found) {
    return `--${flag} is required: ${meta.description} Give the flag, or ${env}, or "${key}" in a file.`;
  }
  const shown = meta.secret ? '***' : JSON.stringify(found.value);
  if (issue.code !== 'custom') return describeProblem(option, found, `${shown} is not allowed`);
  // A refinement's message is the reason, or, when it begins so, what it expected.
  if (issue.message.startsWith('expected ')) {
    const range = meta.range ?? issue.message.slice('expected '.length);
    return describeProblem({ ...option, range }, found, `${shown} is not allowed`);
  }
  return describeProblem(option, found, `${shown} is not allowed (${issue.message})`);
}

function describeProblem({ key, range }: OptionInfo, { source }: Found, complaint: string): string {
  const where = {
    caller: `${key} (set by ${source.name})`,
    flag: source.name,
    environment: `${source.name} (environment)`,
    file: `"${key}" in ${source.name}`,
    default: key,
  }[source.from];
  return `${where}: ${complaint}; expected ${range}.`;
}

function unknownVariables<F extends z.ZodRawShape>(definition: ConfigDefinition<F>, env: Environment): string[] {
  const { envPrefix, options } = definition;
  const known = new Set([`${envPrefix}CONFIG`, ...options.map((option) => option.env)]);
  return Object.keys(env)
    .filter((name) => name.startsWith(envPrefix) && !known.has(name) && !isKubernetesName(name, envPrefix))
    .map((name) => {
      const near = suggest(name, known);
      return `The environment variable ${name} is no option and is ignored.${near ? ` Did you mean ${near}?` : ''}`;
    });
}
