/** True for `{...}`: no array, no null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Value at a path of one or two names, undefined where the way ends. */
export function getAt(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((level, name) => (isObject(level) ? level[name] : undefined), root);
}

/** Sets the value at a path, making the objects on the way. */
export function setAt(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let level = root;
  for (const name of path.slice(0, -1)) {
    if (!isObject(level[name])) level[name] = {};
    level = level[name] as Record<string, unknown>;
  }
  const last = path.at(-1);
  if (last !== undefined) level[last] = value;
}

/** Freezes an object and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
