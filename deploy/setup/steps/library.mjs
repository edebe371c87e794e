// TensorFlow's C library and headers, taken out of the wheel that the Python package index has.
//
// The npm package would fetch them itself, from a storage bucket that no longer answers; the wheel holds the same C API.
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { asFailure } from '../failure.mjs';
import { fingerprint, readJson, sha256OfFile, unchanged, unfinishedFolder, writeWhole } from '../files.mjs';
import { requirePip, requireSpace } from '../prerequisites.mjs';
import { libraryFolder, TENSORFLOW_VERSION, WHEELS } from '../tensorflow.mjs';
import { downloadWheel, unpackWheel } from '../wheels.mjs';

const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const WANTED = `tensorflow/(libtensorflow_(cc|framework)\\.so\\.2$|include/(tensorflow/c/|tensorflow/core/platform/ctstring|tsl/(c|platform)/|xla/tsl/c/).*\\.h$)`;

/** Written as the last file of a library folder: the libraries' sizes, times and hashes. */
const recordPath = (folder) => join(folder, 'complete.json');

export const library = {
  title: 'TensorFlow library',

  async isDone({ cache, device }) {
    const folder = libraryFolder(cache, device);
    return unchanged(folder, readJson(recordPath(folder))?.files);
  },

  async run({ cache, device, progress }) {
    if (await onlyTouched(libraryFolder(cache, device))) return;
    const { project, sha256, bytes, unpacked } = WHEELS[device];
    await requirePip();
    requireSpace(cache, bytes + unpacked + 200e6, `TensorFlow ${TENSORFLOW_VERSION}`);
    const work = unfinishedFolder(cache);
    try {
      const download = join(work, 'download');
      const extracted = join(work, 'extracted');
      mkdirSync(download);
      mkdirSync(extracted);
      const pin = `${project}==${TENSORFLOW_VERSION}`;
      const wheel = await downloadWheel({ pin, sha256, bytes, folder: download, progress });
      await unpackWheel({ wheel, folder: extracted, pattern: WANTED, bytes: unpacked, progress });
      rmSync(download, { recursive: true });
      await publish(join(extracted, 'tensorflow'), work, libraryFolder(cache, device));
    } catch (error) {
      throw asFailure(error, { doing: `Fetching TensorFlow ${TENSORFLOW_VERSION}`, folder: cache });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** A cache that was copied has new times but the same content: note the times rather than fetch it again. */
async function onlyTouched(folder) {
  const hashes = readJson(recordPath(folder))?.sha256;
  if (!hashes || !LIBRARIES.every((name) => existsSync(join(folder, 'lib', name)))) return false;
  const now = await record(folder);
  if (JSON.stringify(now.sha256) !== JSON.stringify(hashes)) return false;
  writeWhole(recordPath(folder), JSON.stringify(now));
  return true;
}

async function record(folder) {
  const files = {};
  const sha256 = {};
  for (const name of LIBRARIES.map((library) => join('lib', library))) {
    files[name] = fingerprint(join(folder, name));
    sha256[name] = await sha256OfFile(join(folder, name));
  }
  return { version: TENSORFLOW_VERSION, files, sha256 };
}

/** Arranges what came out of the wheel as lib/ and include/, and puts it in place in one rename. */
async function publish(from, work, folder) {
  const staged = join(work, 'library');
  mkdirSync(join(staged, 'lib'), { recursive: true });
  renameSync(join(from, 'include'), join(staged, 'include'));
  for (const name of LIBRARIES) renameSync(join(from, name), join(staged, 'lib', name));
  symlinkSync('libtensorflow_cc.so.2', join(staged, 'lib', 'libtensorflow.so')); // what -ltensorflow looks for
  symlinkSync('libtensorflow_framework.so.2', join(staged, 'lib', 'libtensorflow_framework.so'));
  // CUDA libraries fetched earlier stay, should only the library itself have been damaged.
  if (existsSync(join(folder, 'nvidia'))) renameSync(join(folder, 'nvidia'), join(staged, 'nvidia'));
  writeWhole(recordPath(staged), JSON.stringify(await record(staged)));
  mkdirSync(join(folder, '..'), { recursive: true });
  if (existsSync(folder)) renameSync(folder, join(work, 'replaced'));
  renameSync(staged, folder);
}
