/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A scrape in the Prometheus text format, read strictly. */
export interface Scrape {
  readonly samples: readonly Sample[];
  /** Type by metric name, from the TYPE lines. */
  readonly types: ReadonlyMap<string, string>;
  /** Value of the one sample with this name and these labels (others may be there too); undefined when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;

/**
 * Parses what /metrics serves.
 *
 * @throws Error at the first line that is not of the format, and at a sample that appears twice
 */
export function parseExposition(text: string): Scrape {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF' || line.startsWith('# HELP ')) continue;
    if (line.startsWith('# TYPE ')) {
      const [name = '', type = ''] = line.slice(7).split(' ');
      if (types.has(name)) throw new Error(`second TYPE of ${name}`);
      types.set(name, type);
      continue;
    }
    const match = SAMPLE.exec(line);
    if (!match) throw new Error(`no sample: ${line}`);
    const [, name = '', labelText = '', valueText = ''] = match;
    const key = `${name}{${labelText}}`;
    if (seen.has(key)) throw new Error(`second sample: ${key}`);
    seen.add(key);
    samples.push({ name, labels: parseLabels(labelText), value: parseValue(valueText) });
  }
  return {
    samples,
    types,
    value: (name, labels = {}) =>
      samples.find(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      )?.value,
  };
}

/** `a="1",b="2"`, without the braces. */
export function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let end = 0;
  for (const match of text.matchAll(LABEL)) {
    const [whole, name = '', value = ''] = match;
    labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    end = match.index + whole.length;
  }
  if (end !== text.length) throw new Error(`labels end in nonsense: ${text.slice(end)}`);
  return labels;
}

/** A number as both formats write it. */
export function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  if (Number.isNaN(value) && text !== 'NaN' && text !== 'Nan') throw new Error(`no number: ${text}`);
  return value;
}

/** Fetches and parses a service's /metrics. */
export async function scrape(url: string, accept = 'text/plain'): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`, { headers: { accept, connection: 'close' } });
  if (response.status !== 200) throw new Error(`${url}/metrics answered ${response.status}`);
  return parseExposition(await response.text());
}
