/** `npm run docs:telemetry`: writes shared/telemetry/TELEMETRY.md. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../build/compiled.js';
import { schemaPage } from './schema-page.js';

await writeFile(path.join(projectRoot, 'shared/telemetry/TELEMETRY.md'), schemaPage());
