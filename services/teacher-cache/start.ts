import { ABANDONED_MS } from '../../shared/knowledge/abandoned.js';
import { type KnowledgeStore, openStore } from '../../shared/knowledge/store.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import type { Logger } from '../../shared/telemetry/index.js';
import { partOfWorker } from '../../shared/workers/worker-role.js';
import type { TeacherCacheConfig } from './config.js';
import { KnowledgeLibrary } from './library.js';
import { ROLE } from './role.js';
import { teacherCacheService } from './service.js';

/**
 * Starts a teacher-cache in this process.
 *
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when an address is taken or the store's URL is no good
 */
export function startTeacherCache(
  config: TeacherCacheConfig,
  options: { processMetrics?: boolean } = {},
): Promise<RunningService<typeof ROLE>> {
  return startService({
    role: ROLE,
    config,
    ...options,
    parts: async ({ telemetry, drains }) => {
      const store = await openStore(config.store, config.s3);
      const cleaning = keepClean(store, telemetry.logger);
      const cacheBytes = partOfWorker(config.cacheBytes);
      const { openSets } = config;
      const library = new KnowledgeLibrary(store, { cacheBytes, openSets, observer: telemetry.metrics.knowledge });
      telemetry.metrics.trackQueue('blocks', () => library.cachedBytes, cacheBytes);
      return {
        services: [
          teacherCacheService({ library, telemetry, drains, uploads: Math.max(1, partOfWorker(config.uploads)) }),
        ],
        stop: async () => {
          clearInterval(cleaning);
          store.close();
        },
      };
    },
  });
}

/** Removes what writers that were killed have left in the store: now, and from time to time. */
function keepClean(store: KnowledgeStore, logger: Logger): NodeJS.Timeout {
  const clean = () => {
    store.removeAbandoned().then(
      (removed) => {
        if (removed > 0)
          logger.info(`removed ${removed} unfinished files of writers that were killed from ${store.url}`);
      },
      (error: unknown) => logger.warn({ error }, `cannot remove unfinished files from ${store.url}`),
    );
  };
  clean();
  return setInterval(clean, ABANDONED_MS).unref();
}
