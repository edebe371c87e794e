import { defineConfig } from 'vitest/config';

/** Where continuous integration wants the machine-readable results; see .ci/run. */
const report = process.env.SEMLINK_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['{services,shared,deploy,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    // Processes, because the native TensorFlow addon and the servers under test want one of their own.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
