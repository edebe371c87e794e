#!/usr/bin/env node
// The `semlink` command. Plain JavaScript, so that it can say what is missing before anything has been compiled.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const compiled = new URL('../../dist/deploy/cli/main.js', import.meta.url);
if (existsSync(fileURLToPath(compiled))) {
  // Tracing starts before anything else is loaded, as in every service.
  process.env.SEMLINK_SERVICE_NAME ??= 'semlink';
  await import('../../dist/shared/telemetry/preload.js');
  await import(compiled.href);
} else {
  console.error('semlink: this checkout has not been set up yet: run "npm run setup" in it first');
  process.exitCode = 1;
}
