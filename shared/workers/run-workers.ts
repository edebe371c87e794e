import { formatHostPort } from '../config/index.js';
import { runUntilSignal } from '../rpc/process.js';
import type { ServingMessage } from '../rpc/run-service.js';
import { createLogger, startTelemetryServer, type TelemetryConfig } from '../telemetry/index.js';
import { poolMetrics, poolReadiness } from './pool-telemetry.js';
import { rolesOf, type WorkersConfig } from './worker-config.js';
import { WorkerPool } from './worker-pool.js';
import { startWorker } from './worker-process.js';

/** What the process that runs the workers needs of a service's configuration. */
export interface RunWorkersConfig extends WorkersConfig, TelemetryConfig {
  readonly listen: string;
  readonly adminListen?: string;
  readonly drainLimitMs: number;
}

/** How long a worker may take for its end beyond its drain limit, ms. */
const beyondDrainMs = 10_000;

/**
 * Runs a service as several processes: starts the workers, starts those again that end, serves the metrics and the
 * readiness of all, and drains all of them on SIGTERM. Carries no frames itself.
 *
 * @returns what this process says of itself as a service: its addresses are those of all workers, with commas between
 * @throws Error when a worker ends before it serves, or an address is taken; nothing is left running then
 */
export async function runWorkers(service: string, config: RunWorkersConfig): Promise<ServingMessage> {
  const logger = createLogger({ service, level: config.logLevel, format: config.logFormat });
  const pool = new WorkerPool({ roles: rolesOf(config), start: startWorker, logger });
  const server =
    config.metrics.listen === 'off'
      ? undefined
      : await startTelemetryServer({
          listen: config.metrics.listen,
          render: (accept) => poolMetrics(pool, accept),
          readiness: () => poolReadiness(pool),
        });
  let early: (() => void) | undefined = () => void pool.stop(2_000);
  // Until all serve there is nothing to drain.
  const giveUp = (): void => early?.();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, giveUp);
  const serving = await pool.start().finally(() => {
    early = undefined;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, giveUp);
  });
  runUntilSignal({
    drain: async () => {
      const clean = await pool.stop(config.drainLimitMs + beyondDrainMs);
      await server?.close();
      return clean;
    },
    say: (sentence) => logger.info(sentence),
  });
  const message: ServingMessage = {
    address: serving.map(({ address }) => address).join(','),
    adminAddress: serving.some(({ adminAddress }) => adminAddress !== undefined)
      ? serving.map(({ adminAddress }) => adminAddress).join(',')
      : undefined,
    metricsAddress: server && formatHostPort(server),
  };
  const { address, adminAddress: admin, metricsAddress: metrics } = message;
  logger.info(
    { address, admin, metrics, workers: serving.length },
    `${serving.length} workers of ${service} are serving`,
  );
  return message;
}
