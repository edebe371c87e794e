import { z } from 'zod';
import { type ConfigOf, defineConfig, option } from '../../shared/config/index.js';
import { s3Group } from '../../shared/knowledge/s3-options.js';
import { serverFields } from '../../shared/rpc/server-config.js';
import { telemetryFields } from '../../shared/telemetry/index.js';
import { workerFields } from '../../shared/workers/worker-config.js';

/** Every option of the teacher-cache. */
export const teacherCacheConfig = defineConfig({
  name: 'teacher-cache',
  description: 'Keeps what teachers said about their images, and hands it to trainers.',
  fields: {
    ...serverFields('127.0.0.1:50054'),
    ...workerFields(),
    ...telemetryFields('127.0.0.1:9467'),
    store: option(z.string().min(1).default('shared/knowledge'), {
      description:
        'Where the sets are, each in a folder (or under a prefix) of its name: a folder, or s3://bucket/prefix.',
      placeholder: 'URL',
    }),
    s3: s3Group(),
    cacheBytes: option(
      z
        .int()
        .min(0)
        .max(64 * 1024 ** 3)
        .default(256 * 1024 ** 2),
      { description: 'Blocks kept in memory, of all sets together; workers share it.', unit: 'bytes' },
    ),
    openSets: option(z.int().min(1).max(100_000).default(64), {
      description: 'Sets whose manifest is kept in memory; the one unused for longest goes first.',
      unit: 'sets',
    }),
    uploads: option(z.int().min(1).max(10_000).default(16), {
      description: 'Uploads at a time; others wait. Workers share them, one each at least.',
      unit: 'uploads',
    }),
  },
});

export type TeacherCacheConfig = ConfigOf<typeof teacherCacheConfig>;
