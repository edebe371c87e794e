import { z } from 'zod';

/** The parts of a JSON schema that say what one option may hold. */
export interface JsonShape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonShape[];
  readonly items?: JsonShape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly default?: unknown;
}

/** Reads a zod schema through its JSON schema: the one public view of its checks. */
export function shapeOf(schema: z.ZodType): JsonShape {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonShape;
}

/** Allowed values in words, for example `whole number of bytes, 1 to 65536` or `one of fixed, budget`. */
export function describeShape(shape: JsonShape, unit?: string): string {
  if (shape.anyOf) return shape.anyOf.map((one) => describeShape(one, unit)).join(' or ');
  if (shape.const !== undefined) return String(shape.const);
  if (shape.enum) return `one of ${shape.enum.join(', ')}`;
  switch (shape.type) {
    case 'integer':
    case 'number': {
      const noun = shape.type === 'integer' ? 'whole number' : 'number';
      const bounds = describeBounds(shape);
      const step = shape.multipleOf === undefined ? '' : `, multiple of ${shape.multipleOf}`;
      return `${noun}${unit ? ` of ${unit}` : ''}${bounds ? `, ${bounds}` : ''}${step}`;
    }
    case 'boolean':
      return 'true or false';
    case 'array':
      return `comma-separated list, each ${describeShape(shape.items ?? {}, unit)}${describeCount(shape, 'entries')}`;
    case 'object':
      return 'JSON object';
    default:
      return `text${describeCount(shape, 'characters')}`;
  }
}

function describeBounds(shape: JsonShape): string {
  const { exclusiveMinimum: above, exclusiveMaximum: below } = shape;
  // Zod bounds every whole number by the safe integers: true, but no help to a reader.
  const least = shape.minimum === Number.MIN_SAFE_INTEGER ? undefined : shape.minimum;
  const most = shape.maximum === Number.MAX_SAFE_INTEGER ? undefined : shape.maximum;
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  const low = least !== undefined ? `at least ${least}` : above !== undefined ? `above ${above}` : '';
  const high = most !== undefined ? `at most ${most}` : below !== undefined ? `below ${below}` : '';
  return [low, high].filter(Boolean).join(' and ');
}

function describeCount(shape: JsonShape, noun: string): string {
  const least = shape.type === 'array' ? shape.minItems : shape.minLength;
  const most = shape.type === 'array' ? shape.maxItems : shape.maxLength;
  if (least !== undefined && most !== undefined) return `, ${least} to ${most} ${noun}`;
  if (least !== undefined) return least === 1 ? ', not empty' : `, at least ${least} ${noun}`;
  return most !== undefined ? `, at most ${most} ${noun}` : '';
}

/** What stands for the value in `--help`. */
export function placeholderOf(shape: JsonShape, unit?: string): string {
  if (shape.enum) return shape.enum.join('|');
  if (shape.type === 'array') return `${placeholderOf(shape.items ?? {}, unit)},...`;
  if (shape.type === 'integer' || shape.type === 'number') return unit ? unit.toUpperCase().replaceAll(' ', '-') : 'N';
  return shape.type === 'object' ? 'JSON' : 'TEXT';
}
