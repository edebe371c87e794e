import { isObject, type JsonObject } from './settings-patch.js';

/** The values of a patch by their paths: `{"channel": {"snrDb": 3}}` is `channel.snrDb` -> 3. */
export function flatten(patch: JsonObject, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [key, value] of Object.entries(patch)) {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (isObject(value)) for (const [inner, one] of flatten(value, path)) flat.set(inner, one);
    else flat.set(path, value);
  }
  return flat;
}

/** The inverse of `flatten`. */
export function unflatten(values: Iterable<readonly [string, unknown]>): JsonObject {
  const patch: Record<string, unknown> = {};
  for (const [path, value] of values) {
    const keys = path.split('.');
    let at = patch;
    for (const key of keys.slice(0, -1)) {
      at[key] ??= {};
      at = at[key] as Record<string, unknown>;
    }
    at[keys.at(-1)!] = value;
  }
  return patch;
}

/** The value at a path; undefined: there is none. */
export function valueAt(settings: object, path: string): unknown {
  let at: unknown = settings;
  for (const key of path.split('.')) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return at;
}
