import { formatTable } from '../table.js';
import type { LinkMeasurement } from './link-bench.js';

/** Tables of a benchmark of a link: speed and latency, then where the time goes. */
export function linkReport(results: readonly LinkMeasurement[]): string {
  const open = results.some(({ rate }) => rate !== null);
  const head = ['images x in flight x streams', ...(open ? ['due/s'] : []), 'images/s'];
  const speed = formatTable(
    [...head, 'p50 ms', 'p90', 'p99', 'p99.9', 'max', 'services us', 'load us', 'MiB', 'errors'],
    results.map((r) => [
      loadName(r),
      ...(open ? [String(r.rate ?? '-')] : []),
      r.images_per_second.toFixed(0),
      ...Object.values(r.latency_ms).map((ms) => ms.toFixed(2)),
      r.services_us?.toFixed(0) ?? '-',
      r.load_us.toFixed(0),
      String(r.resident_mib ?? '-'),
      String(r.errors),
    ]),
  );
  const services = Object.keys(results[0]?.service_us ?? {});
  const stages = Object.keys(results[0]?.stages_ms ?? {}) as (keyof LinkMeasurement['stages_ms'])[];
  const where = formatTable(
    ['', ...stages.map((stage) => `${stage} ms`), ...services.map((service) => `${service} us`)],
    results.map((r) => [
      loadName(r),
      ...stages.map((stage) => r.stages_ms[stage].toFixed(3)),
      ...services.map((service) => r.service_us[service]!.toFixed(0)),
    ]),
  );
  const failures = [...new Set(results.flatMap((r) => r.first_error ?? []))].map((error) => `first error: ${error}\n`);
  return `${speed}\nmean time in each stage, and processor time an image\n${where}${failures.join('')}`;
}

export function loadName(r: Pick<LinkMeasurement, 'images_per_message' | 'in_flight' | 'streams'>): string {
  return [r.images_per_message, r.in_flight, r.streams].join(' x ');
}
