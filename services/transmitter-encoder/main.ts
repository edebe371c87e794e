import { runService } from '../../shared/rpc/run-service.js';
import { transmitterConfig } from './config.js';

// Loaded when it is needed: a process that only runs workers has no use for an engine.
await runService(transmitterConfig, async (config) => (await import('./start.js')).startTransmitterEncoder(config));
