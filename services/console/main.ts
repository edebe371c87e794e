import { runService } from '../../shared/rpc/run-service.js';
import { consoleConfig } from './config.js';
import { startConsole } from './start.js';

await runService(consoleConfig, startConsole);
