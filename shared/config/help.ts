import type { z } from 'zod';
import type { ConfigDefinition, OptionInfo } from './define.js';

/** The text of `--help`: every option with its meaning, unit, range, default and environment name. */
export function formatHelp<F extends z.ZodRawShape>(definition: ConfigDefinition<F>): string {
  const { positionals } = definition;
  const lines = [
    `Usage: ${definition.usage} [options]${positionals ? ` ${positionals.usage}` : ''}`,
    '',
    definition.description,
  ];
  if (positionals) lines.push('', `  ${positionals.usage}`, `      ${positionals.description}`);
  lines.push('', 'Options:');
  for (const option of definition.options) lines.push(...formatOption(option));
  lines.push(
    '',
    '  --config FILE',
    '      JSON file with option values by name; groups are nested objects.',
    `      env ${definition.envPrefix}CONFIG`,
    '  --print-config',
    '      Print every value with where it came from, as JSON, and exit.',
    '  --version',
    '      Print the version and exit.',
    '  --help, -h',
    '      Print this and exit.',
    '',
    'A flag beats the environment, which beats the file, which beats the default.',
  );
  return `${lines.join('\n')}\n`;
}

function formatOption(option: OptionInfo): string[] {
  const { meta, shape } = option;
  const isBoolean = shape.type === 'boolean';
  const head = isBoolean ? `  --${option.flag}, --no-${option.flag}` : `  --${option.flag} ${option.placeholder}`;
  const facts = [
    isBoolean ? undefined : option.range,
    defaultText(option),
    meta.alias && `or --${meta.alias}`,
    `env ${option.env}`,
    `"${option.key}"`,
  ].filter((fact) => fact !== undefined);
  return [head, `      ${meta.description}`, `      ${facts.join(' · ')}`];
}

function defaultText({ meta, shape, required }: OptionInfo): string | undefined {
  if (required) return 'required';
  if (shape.default === undefined) return 'optional';
  if (meta.secret) return 'default ***';
  const value = shape.default;
  if (Array.isArray(value)) return `default ${value.join(',') || '(none)'}`;
  if (typeof value === 'object') return `default ${JSON.stringify(value)}`;
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  return `default ${value === '' ? '(empty)' : String(value)}${isNumber && meta.unit ? ` ${meta.unit}` : ''}`;
}
