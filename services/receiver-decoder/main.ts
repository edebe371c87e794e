import { runService } from '../../shared/rpc/run-service.js';
import { receiverConfig } from './config.js';

// Loaded when it is needed: a process that only runs workers has no use for an engine.
await runService(receiverConfig, async (config) => (await import('./start.js')).startReceiverDecoder(config));
