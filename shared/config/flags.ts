import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { type ConfigDefinition, type OptionInfo, RESERVED_FLAGS } from './define.js';
import { suggest } from './suggest.js';

/** A command line, read but not yet checked against types. */
export interface ParsedFlags {
  /** Option key to its text; repeated list flags are joined by commas. */
  readonly values: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
  readonly config: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
  readonly printConfig: boolean;
  readonly problems: readonly string[];
}

/** Reads `argv` (without node and script). Nothing throws: problems are sentences to collect. */
export function parseFlags<F extends z.ZodRawShape>(
  definition: ConfigDefinition<F>,
  argv: readonly string[],
): ParsedFlags {
  const byFlag = new Map(
    definition.options.flatMap((option) =>
      [option.flag, option.meta.alias].map((flag) => [flag ?? option.flag, option]),
    ),
  );
  const types = Object.fromEntries([
    ...[...byFlag].map(([flag, option]) => [flag, { type: isSwitch(option) ? 'boolean' : 'string' } as const]),
    ['config', { type: 'string' } as const],
    ...['help', 'version', 'print-config'].map((name) => [name, { type: 'boolean' } as const]),
  ]);
  types.help = { type: 'boolean', short: 'h' };
  const { tokens } = parseArgs({
    args: [...argv],
    options: types,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });

  // `--listen --log-level debug`: the value was forgotten. A number such as -6 is a value.
  const isFlag = (text: string) => text.startsWith('--') && text.slice(2).split('=', 1)[0]! in types;

  const values = new Map<string, string>();
  const positionals: string[] = [];
  const problems: string[] = [];
  const builtIn = new Map<string, string | undefined>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      positionals.push(token.value);
      continue;
    }
    const { name } = token;
    if (RESERVED_FLAGS.some((flag) => flag === name)) {
      if (name === 'config' && !token.value) problems.push('--config needs a file name after it.');
      builtIn.set(name, token.value);
      continue;
    }
    const negated = name.startsWith('no-') ? byFlag.get(name.slice(3)) : undefined;
    const option = byFlag.get(name) ?? (negated && isSwitch(negated) ? negated : undefined);
    if (!option) {
      const near = suggest(name, [...byFlag.keys(), ...RESERVED_FLAGS]);
      problems.push(`Unknown flag ${token.rawName}.${near ? ` Did you mean --${near}?` : ''} --help lists all flags.`);
    } else if (isSwitch(option)) {
      values.set(option.key, token.value ?? (option === negated ? 'false' : 'true'));
    } else if (token.value === undefined || (!token.inlineValue && isFlag(token.value))) {
      problems.push(`--${option.flag} needs a value after it: ${option.range}.`);
    } else {
      const before = option.shape.type === 'array' ? values.get(option.key) : undefined;
      values.set(option.key, before === undefined ? token.value : `${before},${token.value}`);
    }
  }
  if (problems.length === 0) problems.push(...positionalProblems(definition, positionals));
  return {
    values,
    positionals,
    problems,
    config: builtIn.get('config'),
    help: builtIn.has('help'),
    version: builtIn.has('version'),
    printConfig: builtIn.has('print-config'),
  };
}

function isSwitch(option: OptionInfo): boolean {
  return option.shape.type === 'boolean';
}

function positionalProblems<F extends z.ZodRawShape>(
  { positionals, usage }: ConfigDefinition<F>,
  given: readonly string[],
): string[] {
  const most = positionals?.max ?? 0;
  if (given.length > most) {
    const extra = given.slice(most).map((text) => JSON.stringify(text));
    return [`Unexpected argument ${extra.join(', ')}. A value belongs to its flag as --flag VALUE or --flag=VALUE.`];
  }
  if (positionals && given.length < positionals.min) {
    return [`${usage} needs ${positionals.usage}: ${positionals.description}`];
  }
  return [];
}
