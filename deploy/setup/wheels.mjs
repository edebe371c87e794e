// pip as a downloader: it knows the user's index, proxy and certificates, and verifies what it fetched.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from './programs.mjs';
import { watchingFolder } from './watching.mjs';

const PLATFORMS = ['manylinux2014_x86_64', 'manylinux_2_17_x86_64', 'manylinux_2_27_x86_64'];
const EXTRACT = fileURLToPath(new URL('extract_wheel.py', import.meta.url));

/**
 * Downloads one wheel for Linux x86-64 into `folder` and resolves to its path. pip verifies the hash that the index
 * states and, where `sha256` is given, that it is this one.
 *
 * @param {{pin: string, what?: string, sha256?: string, bytes?: number, folder: string, progress: import('./progress.mjs').Progress}} wheel
 */
export async function downloadWheel({
  pin,
  what = `fetching ${pin.replace('==', ' ')}`,
  sha256,
  bytes,
  folder,
  progress,
}) {
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, sha256 ? `${pin} --hash=sha256:${sha256}\n` : `${pin}\n`);
  const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--no-cache-dir', '--disable-pip-version-check'];
  args.push('--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.11');
  args.push(...PLATFORMS.flatMap((name) => ['--platform', name]), '--dest', folder, '--requirement', requirements);
  // pip unpacks in TMPDIR first: keep that on the cache's disk, which was checked for room, and inside what is cleaned up.
  const env = { ...process.env, TMPDIR: folder };
  await watchingFolder(progress, { what, folder, bytes }, () => runProgram('python3', args, { env }));
  const name = readdirSync(folder).find((entry) => entry.endsWith('.whl'));
  if (!name) throw new Error(`pip left no wheel for ${pin}`);
  return join(folder, name);
}

/** Unpacks the members of a wheel that match the regular expression `pattern` (Python's) into `folder`. */
export async function unpackWheel({ wheel, folder, pattern, bytes, progress }) {
  await watchingFolder(progress, { what: 'unpacking', folder, bytes }, () =>
    runProgram('python3', [EXTRACT, wheel, folder, pattern]),
  );
}
