// The last line of .ci/run, from vitest's JSON report: verdict.mjs REPORT EXIT-STATUS FAILED-CHECKS.
import { readFileSync } from 'node:fs';

const [report, status, failedChecks] = process.argv.slice(2);
let passed = 0;
let failed = 0;
try {
  const results = JSON.parse(readFileSync(report, 'utf8'));
  passed = results.numPassedTests;
  failed = results.numFailedTests;
  // A file that does not even load has no failed test in it.
  failed += results.testResults.filter(
    ({ status: outcome, assertionResults }) =>
      outcome === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
  ).length;
} catch (error) {
  console.error(`No test report: ${error.message}`);
}
if (passed + failed === 0) console.error('No test ran.');
// An unhandled error fails the run although each test passed.
if (failed === 0 && (status !== '0' || passed === 0)) failed = 1;
const checks = Number(failedChecks);
if (checks > 0) console.error(`Of the checks beside the tests (types, style, a cluster), ${checks} failed; see above.`);
failed += checks;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
