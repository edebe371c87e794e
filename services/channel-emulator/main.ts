import { runService } from '../../shared/rpc/run-service.js';
import { channelEmulatorConfig } from './config.js';
import { startChannelEmulator } from './start.js';

await runService(channelEmulatorConfig, startChannelEmulator);
