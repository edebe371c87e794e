import type { OptionInfo } from './define.js';
import type { Source } from './load.js';
import { getAt, setAt } from './nested.js';

/** The text of `--print-config`: every value with its unit and source, as JSON; secrets as `***`. */
export function formatConfig(
  options: readonly OptionInfo[],
  config: unknown,
  sources: ReadonlyMap<string, Source>,
): string {
  const printed: Record<string, unknown> = {};
  for (const { key, path, meta } of options) {
    const value = getAt(config, path);
    const source = sources.get(key);
    setAt(printed, path, {
      value: meta.secret && value !== undefined ? '***' : (value ?? null),
      ...(meta.unit === undefined ? {} : { unit: meta.unit }),
      source: source?.from === 'default' ? 'default' : `${source?.from} ${source?.name}`,
    });
  }
  return `${JSON.stringify(printed, null, 2)}\n`;
}
