import { runService } from '../../shared/rpc/run-service.js';
import { transmitterConfig } from './config.js';
import { startTransmitterEncoder } from './start.js';

await runService(transmitterConfig, startTransmitterEncoder);
