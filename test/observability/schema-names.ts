/** What a PromQL expression names, held against the telemetry schema. */
import { METRICS, PROCESS_METRICS, WORKER_METRICS } from '../../shared/telemetry/names.js';

/** Labels that a scrape or a rule gives. */
const TARGET_LABELS = ['job', 'instance', 'namespace', 'pod', 'node', 'worker'];
/** Series of Prometheus itself. */
const OF_PROMETHEUS = ['up', 'ALERTS'];

/** Every series that a service or job can serve, with its labels. */
function servedSeries(): Map<string, readonly string[]> {
  const served = new Map<string, readonly string[]>();
  for (const { name, type, labels } of [...Object.values(METRICS), ...PROCESS_METRICS]) {
    if (type !== 'histogram') served.set(name, labels);
    else {
      served.set(`${name}_bucket`, [...labels, 'le']);
      for (const suffix of ['sum', 'count']) served.set(`${name}_${suffix}`, labels);
    }
  }
  for (const { name, labels } of Object.values(WORKER_METRICS)) served.set(name, labels);
  return served;
}

const SERVED = servedSeries();

/** Recorded series of rule files. */
export function recordedSeries(rules: string): string[] {
  return [...rules.matchAll(/^ +- record: (\S+)$/gm)].map(([, name]) => name!);
}

/**
 * What is wrong with the names in an expression: series nobody serves or records, and labels that a series does not
 * have. Anything after the metric's name in braces is looked at; labels of aggregations must be of some series in it.
 */
export function unknownNames(expr: string, recorded: ReadonlySet<string>): string[] {
  const wrong: string[] = [];
  const known = new Set([...TARGET_LABELS, 'quantile', 'alertname', 'alertstate']);
  for (const [, name = '', , matchers = ''] of expr.matchAll(
    /\b((?:semlink|process|nodejs)[_:][a-zA-Z0-9_:]*|up|ALERTS)\b(\{([^}]*)\})?/g,
  )) {
    const labels = SERVED.get(name);
    if (!labels && !recorded.has(name) && !OF_PROMETHEUS.includes(name)) wrong.push(name);
    for (const label of labels ?? []) known.add(label);
    // A recorded series keeps labels of what it was made of: any of the schema.
    if (recorded.has(name)) for (const all of SERVED.values()) for (const label of all) known.add(label);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      const allowed = labels ? [...labels, ...TARGET_LABELS] : [...known];
      if (!allowed.includes(label)) wrong.push(`${name}{${label}}`);
    }
  }
  for (const [, list = ''] of expr.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g)) {
    for (const label of list.split(',').map((text) => text.trim())) {
      if (label !== '' && !known.has(label)) wrong.push(`by (${label})`);
    }
  }
  return wrong;
}
