import { runService } from '../../shared/rpc/run-service.js';
import { receiverConfig } from './config.js';
import { startReceiverDecoder } from './start.js';

await runService(receiverConfig, startReceiverDecoder);
