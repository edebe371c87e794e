import type { z } from 'zod';
import { type ConfigDefinition, loadConfigOrExit } from '../config/index.js';
import type { InstrumentedService } from '../telemetry/index.js';
import { runUntilSignal } from './process.js';
import type { RunningService } from './running-service.js';

/** All of a service's `main.ts`: configuration, start, drain on a signal. Exit code 1 when it cannot start. */
export async function runService<F extends z.ZodRawShape>(
  definition: ConfigDefinition<F>,
  start: (config: z.output<z.ZodObject<F, z.core.$strict>>) => Promise<RunningService<InstrumentedService>>,
): Promise<void> {
  const { config, warnings } = loadConfigOrExit(definition);
  let service: RunningService<InstrumentedService>;
  try {
    service = await start(config);
  } catch (error) {
    process.stderr.write(`${definition.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
  const { logger } = service.telemetry;
  for (const warning of warnings) logger.warn(warning);
  runUntilSignal({ drain: () => service.drain(), say: (sentence) => logger.info(sentence) });
}
