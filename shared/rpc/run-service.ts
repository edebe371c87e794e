import type { z } from 'zod';
import { type ConfigDefinition, loadConfigOrExit } from '../config/index.js';
import type { InstrumentedService } from '../telemetry/index.js';
import { type RunWorkersConfig, runWorkers } from '../workers/run-workers.js';
import { configOfWorker } from '../workers/worker-config.js';
import { workerRole } from '../workers/worker-role.js';
import { runUntilSignal } from './process.js';
import type { RunningService } from './running-service.js';

/** What a service tells the process that started it with an IPC channel (deploy/local), once it serves. */
export interface ServingMessage {
  /** `host:port` of gRPC. */
  address: string;
  /** `host:port` of gRPC for control, when it has one of its own. */
  adminAddress: string | undefined;
  /** `host:port` of /metrics; undefined when off. */
  metricsAddress: string | undefined;
}

/**
 * All of a service's `main.ts`: configuration, start (or the start of its workers), drain on a signal. Exit code 1 when it cannot start. Started with
 * an IPC channel it sends a `ServingMessage` over it, and does not outlive the process at the other end.
 */
export async function runService<F extends z.ZodRawShape>(
  definition: ConfigDefinition<F>,
  start: (config: z.output<z.ZodObject<F, z.core.$strict>>) => Promise<RunningService<InstrumentedService>>,
): Promise<void> {
  const { config: whole, warnings } = loadConfigOrExit(definition);
  const role = workerRole();
  const config = role && hasWorkers(whole) ? configOfWorker(whole, role) : whole;
  let service: RunningService<InstrumentedService>;
  const abandoned = (): never => process.exit(1);
  process.once('disconnect', abandoned);
  const failed = (error: unknown): never => {
    process.stderr.write(`${definition.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  };
  if (hasWorkers(config) && config.workers > 1) {
    const serving = await runWorkers(definition.name, config).catch(failed);
    process.off('disconnect', abandoned);
    process.send?.(serving);
    return;
  }
  try {
    service = await start(config);
  } catch (error) {
    failed(error);
    return;
  }
  const { logger } = service.telemetry;
  for (const warning of warnings) logger.warn(warning);
  process.off('disconnect', abandoned);
  runUntilSignal({ drain: () => service.drain(), say: (sentence) => logger.info(sentence) });
  const { address, adminAddress, metricsAddress } = service;
  process.send?.({ address, adminAddress, metricsAddress } satisfies ServingMessage);
}

function hasWorkers<C>(config: C): config is C & RunWorkersConfig {
  return typeof config === 'object' && config !== null && 'workers' in config;
}
