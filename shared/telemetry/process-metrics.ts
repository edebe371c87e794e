import { collectDefaultMetrics, type Registry } from 'prom-client';
import { PROCESS_METRICS } from './names.js';

const LISTED: ReadonlySet<string> = new Set(PROCESS_METRICS.map(({ name }) => name));

/** Measures the process: those of prom-client's own metrics that names.ts lists, and no other. */
export function collectProcessMetrics(registry: Registry): void {
  const before = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!before.has(name) && !LISTED.has(name)) registry.removeSingleMetric(name);
  }
}
