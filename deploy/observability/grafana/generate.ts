/** Writes the dashboards: node dist/deploy/observability/grafana/generate.js */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../../shared/build/compiled.js';
import { dashboardFiles } from './dashboards.js';

const folder = path.join(projectRoot, 'deploy/observability/grafana/dashboards');
for (const [name, text] of dashboardFiles()) await writeFile(path.join(folder, name), text);
