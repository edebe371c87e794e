import { runService } from '../../shared/rpc/run-service.js';
import { teacherCacheConfig } from './config.js';

// Loaded when it is needed: a process that only runs workers has no use for a store.
await runService(teacherCacheConfig, async (config) => (await import('./start.js')).startTeacherCache(config));
