import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { METRICS } from './names.js';

type Definitions = typeof METRICS;

/** Keys of the metrics of one type. */
export type MetricKey<Type extends Definitions[keyof Definitions]['type']> = {
  [K in keyof Definitions]: Definitions[K]['type'] extends Type ? K : never;
}[keyof Definitions];

/** Label names of one metric. */
export type LabelsOf<K extends keyof Definitions> = Definitions[K]['labels'][number];

/** Makes the instrument of a counter's definition; only the labels it declares can be given. */
export function makeCounter<K extends MetricKey<'counter'>>(
  registry: Registry,
  { name, help, labels }: Definitions[K] & { readonly labels: readonly LabelsOf<K>[] },
): Counter<LabelsOf<K>> {
  return new Counter({ name, help, labelNames: labels, registers: [registry] });
}

/** Makes the instrument of a gauge's definition. `collect` sets it just before each scrape. */
export function makeGauge<K extends MetricKey<'gauge'>>(
  registry: Registry,
  { name, help, labels }: Definitions[K] & { readonly labels: readonly LabelsOf<K>[] },
  collect?: (gauge: Gauge<LabelsOf<K>>) => void,
): Gauge<LabelsOf<K>> {
  return new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    ...(collect && {
      collect() {
        collect(this);
      },
    }),
  });
}

/** Makes the instrument of a histogram's definition. */
export function makeHistogram<K extends MetricKey<'histogram'>>(
  registry: Registry,
  { name, help, labels, buckets }: Definitions[K] & { readonly labels: readonly LabelsOf<K>[] },
): Histogram<LabelsOf<K>> {
  return new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers: [registry] });
}
