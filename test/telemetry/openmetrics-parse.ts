import { parseLabels, parseValue } from './exposition-parse.js';

/** The trace of one observation, from its bucket. */
export interface Exemplar {
  /** Of the sample, `_bucket` and all. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly value: number;
  /** Seconds since the Unix epoch. */
  readonly at: number;
}

export interface OpenMetricsScrape {
  /** Type by family name. */
  readonly types: ReadonlyMap<string, string>;
  /** Value by name and labels, as written. */
  readonly samples: ReadonlyMap<string, number>;
  readonly exemplars: readonly Exemplar[];
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count', '_created'],
};
const SAMPLE = /^([a-z_][a-z0-9_]*)(\{[^#]*\})? (\S+)(?: # \{(.*)\} (\S+) (\d+(?:\.\d+)?))?$/;

/**
 * Reads OpenMetrics 1.0 text as strictly as its specification: families in one piece, suffixes by type, buckets that rise
 * to +Inf and to the count, exemplars only on buckets and within them, `# EOF` at the end.
 *
 * @throws Error at the first line that breaks a rule
 */
export function parseOpenMetrics(text: string): OpenMetricsScrape {
  if (!text.endsWith('\n# EOF\n')) throw new Error('the end is not # EOF');
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  const exemplars: Exemplar[] = [];
  let family = '';
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    if (line.startsWith('# HELP ')) continue;
    if (line.startsWith('# TYPE ')) {
      const [name = '', type = ''] = line.slice(7).split(' ');
      if (types.has(name)) throw new Error(`the family ${name} comes twice`);
      if (!(type in SUFFIXES)) throw new Error(`unknown type: ${line}`);
      types.set(name, type);
      family = name;
      continue;
    }
    const match = SAMPLE.exec(line);
    if (!match) throw new Error(`no sample: ${line}`);
    const [, name = '', braces = '', value = '', exemplarLabels, exemplarValue, exemplarAt] = match;
    const suffixes = SUFFIXES[types.get(family) ?? ''] ?? [];
    if (!suffixes.some((suffix) => name === family + suffix)) throw new Error(`not of the family ${family}: ${line}`);
    if (samples.has(name + braces)) throw new Error(`comes twice: ${line}`);
    samples.set(name + braces, parseValue(value));
    if (exemplarLabels === undefined) continue;
    const labels = parseLabels(braces.slice(1, -1));
    const given = parseLabels(exemplarLabels);
    const exemplar = {
      name,
      labels,
      traceId: given.trace_id ?? '',
      value: parseValue(exemplarValue!),
      at: Number(exemplarAt),
    };
    checkExemplar(exemplar, exemplarLabels);
    exemplars.push(exemplar);
  }
  checkBuckets(samples);
  return { types, samples, exemplars };
}

function checkExemplar({ name, labels, value }: Exemplar, text: string): void {
  if (!name.endsWith('_bucket')) throw new Error(`an exemplar on ${name}`);
  if (text.replaceAll(/[="]/g, '').length > 128) throw new Error(`an exemplar with more than 128 characters: ${text}`);
  if (value > parseValue(labels.le!)) throw new Error(`an exemplar of ${value} in the bucket up to ${labels.le}`);
}

/** Cumulative counts of every histogram rise, and end in the count. */
function checkBuckets(samples: ReadonlyMap<string, number>): void {
  const last = new Map<string, { le: number; count: number }>();
  for (const [key, count] of samples) {
    const match = /^(.*)_bucket\{le="([^"]+)",?(.*)\}$/.exec(key);
    if (!match) continue;
    const [, name = '', leText = '', rest = ''] = match;
    const series = rest === '' ? name : `${name}{${rest}}`;
    const le = parseValue(leText);
    const before = last.get(series) ?? { le: Number.NEGATIVE_INFINITY, count: 0 };
    if (le <= before.le || count < before.count) throw new Error(`buckets do not rise: ${key}`);
    last.set(series, { le, count });
  }
  for (const [series, { le, count }] of last) {
    const brace = series.indexOf('{');
    const total = brace < 0 ? `${series}_count` : `${series.slice(0, brace)}_count${series.slice(brace)}`;
    if (le !== Number.POSITIVE_INFINITY || samples.get(total) !== count) {
      throw new Error(`the buckets of ${series} do not end in +Inf and its count`);
    }
  }
}
