import { loadTrace } from '../../../shared/channel/trace-file.js';

const GROUPS = ['channel', 'budget', 'air', 'feedback'];

/**
 * The patch that KEY=VALUE words say: `snr-db=12` is `{"channel": {"snrDb": 12}}`, `air.jitter-ms=3` is
 * `{"air": {"jitterMs": 3}}`. Keys in kebab case or camel case; values are JSON, anything else is text. `trace=@FILE`
 * reads a trace file.
 *
 * @throws Error with a sentence when a word has no `=`, or two words set the same
 */
export async function patchFromWords(words: readonly string[]): Promise<Record<string, unknown>> {
  // Without a prototype: a key such as __proto__ is a key like any other, and the emulator refuses it.
  const patch: Record<string, unknown> = Object.create(null);
  for (const word of words) {
    const cut = word.indexOf('=');
    if (cut < 1) throw new Error(`"${word}" is no setting; write KEY=VALUE, for example snr-db=12`);
    const keys = word.slice(0, cut).split('.').map(camelCase);
    if (!GROUPS.includes(keys[0]!)) keys.unshift('channel');
    let at = patch;
    for (const key of keys.slice(0, -1)) {
      at[key] ??= Object.create(null);
      const inner = at[key];
      if (typeof inner !== 'object' || inner === null)
        throw new Error(`"${word}" is within "${key}", which is set too`);
      at = inner as Record<string, unknown>;
    }
    const last = keys.at(-1)!;
    if (last in at) throw new Error(`"${word}": ${keys.join('.')} is set twice`);
    at[last] = await valueFrom(word.slice(cut + 1));
  }
  return patch;
}

async function valueFrom(text: string): Promise<unknown> {
  if (text.startsWith('@')) {
    const { kind, timesSeconds, values } = await loadTrace(text.slice(1));
    return { kind, timesSeconds: Array.from(timesSeconds), values: Array.from(values) };
  }
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function camelCase(key: string): string {
  return key.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Settings (JSON) as lines `group.key value`, for people. */
export function settingsLines(settings: string): string[] {
  const rows: [string, string][] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      rows.push([path, typeof value === 'string' ? value : JSON.stringify(value)]);
      return;
    }
    for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`);
  };
  walk(JSON.parse(settings), '');
  const width = Math.max(...rows.map(([path]) => path.length));
  return rows.map(([path, value]) => `${path.padEnd(width)}  ${value}`);
}

/** The same in a few words, for a line of a list. */
export function settingsWords(settings: string): string {
  const { channel, budget, air, feedback } = JSON.parse(settings) as Record<string, Record<string, unknown>>;
  const { model, snrDb, impairments, trace, ...parameters } = channel!;
  const words = Object.entries(parameters).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  const delay = Number(air!.propagationDelayMs) + Number(air!.processingDelayMs);
  return [
    String(model),
    `${Number(Number(snrDb).toFixed(2))} dB`,
    ...(budget ? [`path loss ${Number(budget.pathLossDb).toFixed(1)} dB`] : []),
    ...words,
    ...(trace ? ['trace'] : []),
    ...(impairments ? [Object.keys(impairments).join(' ')] : []),
    ...(air!.realTime ? [`real time ${air!.symbolRateHz} Bd`] : []),
    ...(delay > 0 ? [`delay ${delay} ms`] : []),
    ...(Number(feedback!.delayMs) > 0 ? [`feedback ${feedback!.delayMs} ms late`] : []),
  ].join(', ');
}
