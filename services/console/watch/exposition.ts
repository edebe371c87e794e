/** One sample of ours on a /metrics page. */
export interface MetricSample {
  readonly name: string;
  /** As written: `link="a",outcome="result"`; empty when there are none. */
  readonly labels: string;
  readonly value: number;
}

/** The samples of one scrape, by name. */
export type MetricPage = ReadonlyMap<string, readonly MetricSample[]>;

/**
 * The samples whose names begin with `semlink_`, without histogram buckets: a page of a thousand links is read in a few
 * milliseconds. Lines of any other form are passed over.
 */
export function readMetricPage(text: string): MetricPage {
  const page = new Map<string, MetricSample[]>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('semlink_')) continue;
    const open = line.indexOf('{');
    // Label values may hold blanks and braces; none of ours holds "} ".
    const close = open < 0 ? line.indexOf(' ') : line.indexOf('} ', open);
    if (close < 0) continue;
    const name = line.slice(0, open < 0 ? close : open);
    if (name.endsWith('_bucket')) continue;
    // An exemplar, or a time stamp, may follow.
    const value = Number.parseFloat(line.slice(open < 0 ? close + 1 : close + 2));
    if (Number.isNaN(value)) continue;
    const sample = { name, labels: open < 0 ? '' : line.slice(open + 1, close), value };
    const samples = page.get(name);
    if (samples) samples.push(sample);
    else page.set(name, [sample]);
  }
  return page;
}

/** Sum of a metric's samples that have all these labels; undefined when there is none. */
export function sumOf(
  page: MetricPage,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum: number | undefined;
  for (const sample of page.get(name) ?? []) {
    if (wanted.every((pair) => hasPair(sample.labels, pair))) sum = (sum ?? 0) + sample.value;
  }
  return sum;
}

function hasPair(labels: string, pair: string): boolean {
  const at = labels.indexOf(pair);
  return at === 0 || (at > 0 && labels[at - 1] === ',');
}
