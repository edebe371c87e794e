import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { projectRoot } from '../../../shared/build/compiled.js';

/** A file that is served as it is. */
export interface StaticFile {
  readonly contentType: string;
  readonly body: Buffer;
  readonly etag: string;
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Of the plotting library, served out of its package. */
const vendor = { '/vendor/uPlot.js': 'uPlot.esm.js', '/vendor/uPlot.css': 'uPlot.min.css' } as const;

/**
 * The page's files by path. All of them are read at the start: there are few, and nothing outside them can be asked for.
 *
 * @throws Error when a file or the plotting library is not there
 */
export function loadStaticFiles(folder = path.join(projectRoot, 'services/console/page')): Map<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  const put = (name: string, file: string): void => {
    const contentType = types[path.extname(file)];
    if (contentType === undefined) return;
    const body = readFileSync(file);
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 20)}"`;
    files.set(name, { contentType, body, etag });
  };
  for (const name of readdirSync(folder)) put(`/${name}`, path.join(folder, name));
  const library = path.dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  for (const [name, file] of Object.entries(vendor)) put(name, path.join(library, 'dist', file));
  files.set('/', files.get('/index.html')!);
  return files;
}
