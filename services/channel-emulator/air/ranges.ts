import { invalidArgument } from '../../../shared/rpc/errors.js';

/** What a number may be. */
export interface NumberRange {
  readonly least: number;
  readonly greatest: number;
  readonly unit: string;
  readonly whole?: boolean;
}

/**
 * Checks every number that `ranges` names.
 * @param where the numbers' group, for the message
 * @throws SemlinkError INVALID_ARGUMENT naming the first that is out of its range, its value and the range
 */
export function checkNumbers<K extends string>(
  where: string,
  values: Readonly<Record<NoInfer<K>, number>>,
  ranges: Readonly<Record<K, NumberRange>>,
): void {
  for (const [name, { least, greatest, unit, whole }] of Object.entries(ranges) as [K, NumberRange][]) {
    const value = values[name];
    if (typeof value === 'number' && value >= least && value <= greatest && !(whole && !Number.isInteger(value)))
      continue;
    const noun = whole ? 'a whole number' : 'a number';
    throw invalidArgument(`${where}.${name}`, value, `use ${noun} of ${least} to ${greatest}${unit ? ` ${unit}` : ''}`);
  }
}

/** @throws SemlinkError INVALID_ARGUMENT when it is neither true nor false */
export function checkFlag(what: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalidArgument(what, value, 'use true or false');
}
