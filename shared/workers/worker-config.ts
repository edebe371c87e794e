import { z } from 'zod';
import { formatHostPort, parseHostPort } from '../config/address.js';
import { option } from '../config/option.js';
import type { WorkerRole } from './worker-role.js';

/** The part of a service's configuration that `workerFields` declares. */
export interface WorkersConfig {
  readonly workers: number;
  readonly workerPortStep: number;
}

/** Fields of every service that can run as several processes. */
export function workerFields() {
  return {
    workers: option(z.int().min(1).max(64).default(1), {
      description:
        'Processes that share the work, each on a port of its own; name all of them to whoever connects, so that each ' +
        'link stays with one.',
      unit: 'processes',
    }),
    workerPortStep: option(z.int().min(1).max(1000).default(10), {
      description: 'Worker i listens on the port of listen plus i times this; a port of 0 stays any free one.',
    }),
  };
}

/** What a worker's configuration has instead of that of the service. */
interface Placed {
  readonly listen: string;
  readonly adminListen?: string;
  readonly metrics: { readonly listen: string };
}

/**
 * The addresses of a service's workers, in order.
 *
 * @param known where workers that have served before listen: a restarted one must be found there
 * @throws RangeError when a port would be over 65535
 */
export function rolesOf(config: WorkersConfig & Placed): WorkerRole[] {
  const { workers: count, workerPortStep: step, adminListen } = config;
  return Array.from({ length: count }, (_, index) => ({
    index,
    count,
    listen: moved(config.listen, index * step),
    ...(adminListen !== undefined && adminListen !== 'off' && { adminListen: moved(adminListen, index * step) }),
  }));
}

/** The configuration of one worker. Its metrics are for the process that started it. */
export function configOfWorker<C extends WorkersConfig & Placed>(config: C, { listen, adminListen }: WorkerRole): C {
  const metricsListen = config.metrics.listen === 'off' ? 'off' : '127.0.0.1:0';
  return {
    ...config,
    workers: 1,
    listen,
    ...(adminListen !== undefined && { adminListen }),
    metrics: { ...config.metrics, listen: metricsListen },
  };
}

function moved(address: string, by: number): string {
  const { host, port } = parseHostPort(address);
  if (port === 0) return address;
  if (port + by > 65_535)
    throw new RangeError(`${address}: a worker would listen on port ${port + by}; choose a lower port`);
  return formatHostPort({ host, port: port + by });
}
