import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

let known: string | undefined;

/** Version of this project from its package.json, found upwards: sources and compiled files lie at different depths. */
export function semlinkVersion(): string {
  known ??= findVersion(dirname(fileURLToPath(import.meta.url)));
  return known;
}

function findVersion(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) {
      const parsed = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
      if (parsed.name === 'semlink') return parsed.version ?? 'unknown';
    }
    if (dirname(folder) === folder) return 'unknown';
  }
}
