import { runService } from '../../shared/rpc/run-service.js';
import { teacherCacheConfig } from './config.js';
import { startTeacherCache } from './start.js';

await runService(teacherCacheConfig, startTeacherCache);
