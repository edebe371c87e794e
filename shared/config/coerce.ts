import type { JsonShape } from './json-shape.js';

/** Text that cannot be read as the option's type; the caller says which option and what it expects. */
export class CoerceError extends Error {}

const SECONDS = new Map([
  ['ns', 1e-9],
  ['us', 1e-6],
  ['ms', 1e-3],
  ['s', 1],
  ['m', 60],
  ['min', 60],
  ['h', 3600],
]);
const BYTES = new Map([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
]);
const BOOLEANS = new Map([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
  ['yes', true],
  ['no', false],
  ['on', true],
  ['off', false],
]);

/**
 * Reads text from a flag, the environment or a file as the type that a shape asks for. Ranges are left to zod.
 *
 * @throws CoerceError when the text has the wrong form
 */
export function coerce(text: string, shape: JsonShape, unit?: string): unknown {
  if (shape.anyOf) return coerceAny(text, shape.anyOf, unit);
  switch (shape.type) {
    case 'integer':
    case 'number':
      return coerceNumber(text, unit);
    case 'boolean': {
      const value = BOOLEANS.get(text.trim().toLowerCase());
      if (value === undefined) throw new CoerceError(`${JSON.stringify(text)} is neither true nor false`);
      return value;
    }
    case 'array': {
      const items = text.trim() === '' ? [] : text.split(',');
      return items.map((item) => coerce(item.trim(), shape.items ?? {}, unit));
    }
    case 'object':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new CoerceError(`${JSON.stringify(text)} is not JSON`);
      }
    default:
      return text;
  }
}

// Literals first: `auto` must not be tried as a number, nor a number be taken for text while a number is allowed.
function coerceAny(text: string, shapes: readonly JsonShape[], unit?: string): unknown {
  const literal = shapes.find((shape) => shape.const === text || shape.enum?.includes(text));
  if (literal) return text;
  for (const shape of shapes) {
    if (shape.type === 'string') continue;
    try {
      return coerce(text, shape, unit);
    } catch (error) {
      if (!(error instanceof CoerceError)) throw error;
    }
  }
  return text;
}

function coerceNumber(text: string, unit?: string): number {
  const match = /^([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (!match) throw new CoerceError(`${JSON.stringify(text)} is not a number`);
  const value = Number(match[1]?.replaceAll('_', ''));
  const suffix = match[2] ?? '';
  if (suffix === '' || suffix.toLowerCase() === unit?.toLowerCase()) return value;
  const table = unit !== undefined && SECONDS.has(unit) ? SECONDS : unit === 'bytes' ? BYTES : undefined;
  const factor = table?.get(suffix.toLowerCase());
  if (factor === undefined) {
    const known = table ? `; known units: ${[...table.keys()].join(', ')}` : '';
    throw new CoerceError(`${JSON.stringify(text)} ends in an unknown unit${known}`);
  }
  const base = table === SECONDS ? (SECONDS.get(unit ?? '') ?? 1) : 1;
  // 15 digits: 1.15s is 1150 ms, not 1149.9999999999998.
  return Number(((value * factor) / base).toPrecision(15));
}
