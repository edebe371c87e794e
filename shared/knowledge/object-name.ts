import { invalidArgument } from '../rpc/errors.js';

/**
 * The parts of an object's name.
 *
 * @throws SemlinkError INVALID_ARGUMENT for a name that could lead out of the store
 */
export function checkedParts(name: string): string[] {
  const parts = name.split('/');
  if (parts.every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part))) return parts;
  throw invalidArgument(
    'object name',
    name,
    'use letters, digits, ".", "_" and "-", not "." first, with "/" between parts',
  );
}
